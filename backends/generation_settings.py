"""The settings of transformers' `generate`, as data: which change the logits, which the search, and which no token at all.

The names are those of `transformers.GenerationConfig` 5.17 to 5.23, which generation_config.json and lm-eval's
`generation_kwargs` both use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOGITS = frozenset({
    "bad_words_ids", "begin_suppress_tokens", "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "eos_token_id",
    "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id", "min_length", "min_new_tokens",
    "no_repeat_ngram_size", "remove_invalid_values", "renormalize_logits", "repetition_penalty", "sequence_bias",
    "suppress_tokens", "watermarking_config",
})  # fmt: skip
"""Settings that change which token is chosen, greedily too: each is applied by transformers' own processors."""

SAMPLING = frozenset({
    "temperature", "top_k", "top_p", "top_h", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff",
})  # fmt: skip
"""Settings that change what is drawn, and nothing where decoding is greedy."""

UNSUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "assistant_ensemble_weight": (None,),
    "constraints": (None,),
    "dola_layers": (None,),
    "force_words_ids": (None,),
    "guidance_scale": (None, 1),
    "max_time": (None,),
    "num_beams": (None, 1),
    "num_return_sequences": (None, 1),
    "penalty_alpha": (None, 0),
    "stop_strings": (None, "", []),
    "token_healing": (None, False),
}
"""Settings that make `generate` search otherwise, or that it cannot follow either; with the values that change nothing."""

UNSUPPORTED_CACHES = frozenset({"quantized", "paged"})
"""Values of `cache_implementation` that change the numbers; the others change where they are kept."""

NO_EFFECT = frozenset({
    "assistant_confidence_threshold", "assistant_early_exit", "assistant_lookbehind", "bos_token_id", "cache_config",
    "cache_implementation", "compile_config", "decoder_start_token_id", "disable_compile", "diversity_penalty",
    "early_stopping", "is_assistant", "length_penalty", "low_memory", "max_cache_len", "max_matching_ngram_size",
    "num_assistant_tokens", "num_assistant_tokens_schedule", "num_beam_groups", "output_attentions", "output_hidden_states",
    "output_logits", "output_scores", "pad_token_id", "prefill_chunk_size", "prompt_lookup_num_tokens",
    "return_dict_in_generate", "speculation_type", "target_lookbehind", "use_cache", "use_mtp",
})  # fmt: skip
"""Settings that change speed, memory or what else is returned, or that act only beside an unsupported one."""

NEUTRAL: Mapping[str, Any] = {
    **dict.fromkeys(LOGITS | SAMPLING | UNSUPPORTED.keys() | NO_EFFECT | {"max_length"}),
    "num_beams": 1,
    "num_return_sequences": 1,
    "do_sample": False,
    "use_cache": True,
}
"""Arguments with which `generate` takes the best of its logits up to `max_new_tokens`, whatever generation_config.json says."""


def unsupported(settings: Mapping[str, Any]) -> list[str]:
    """Every setting of these that cannot be followed, as `name: value`, in order of name.

    With `do_sample` true, `penalty_alpha` does nothing: contrastive search is greedy.
    """
    sampled = settings.get("do_sample") is True
    found = [
        f"{name}: {value}"
        for name, neutral in UNSUPPORTED.items()
        if (value := settings.get(name)) not in neutral and not (sampled and name == "penalty_alpha")
    ]
    cache = settings.get("cache_implementation")
    return [*found, f"cache_implementation: {cache}"] if cache in UNSUPPORTED_CACHES else found


def unknown(settings: Mapping[str, Any]) -> list[str]:
    """Names that are no setting of `generate`, in alphabetical order."""
    known = LOGITS | SAMPLING | NO_EFFECT | UNSUPPORTED.keys() | {"do_sample"}
    return sorted(settings.keys() - known)
