"""Checkpoints that people bring, whose attention or head is not a plain decoder's: packed and plain say the same.

Each is written as a checkpoint and opened as `minizoo eval` opens it; the sizes are those of the reports.
"""

import pytest
import torch
from support.architecture_sweep import NoTokenizer, token_ids
from transformers import AutoConfig, AutoModelForCausalLM

from backends.contract import GenerateRequest, Options, ScoreRequest
from backends.hf.backend import HfBackend
from zoo.checkpoint.locate import open_folder

SHAPE = {
    "vocab_size": 512, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
}  # fmt: skip
MIXTURE = {
    "num_key_value_heads": 2, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32, "use_sliding_window": True, "max_window_layers": 3, "sliding_window": 64,
}  # fmt: skip
CAPPED = {"num_key_value_heads": 2, "head_dim": 12, "attn_logit_softcapping": None}


def checkpoint(folder, kind, dtype=torch.float32, std=0.12, **own):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SHAPE, **own))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, std)
    model.to(dtype).save_pretrained(folder)
    return folder


def backend(folder, eager=False, dtype="float32"):
    return HfBackend(open_folder(folder), Options(device="cpu", dtype=dtype, eager=eager), tokenizer=NoTokenizer())


def documents(count=6, length=150):
    """Contexts that share a beginning, each with three endings."""
    shots = token_ids(length, 0)
    return [
        ScoreRequest(shots + token_ids(20, 10 + i), token_ids(6, 100 + 3 * i + choice), per_token=True)
        for i in range(count)
        for choice in range(3)
    ]


def token_logprobs(opened):
    scores = sorted(opened.score(documents()), key=lambda score: score.index)
    return torch.tensor([score.token_logprobs for score in scores])


@pytest.mark.parametrize("kind", ["gpt_neox", "phi3"])
def test_fused_queries_keys_and_values_are_packed_and_generate_as_transformers_does(kind, tmp_path):
    opened = backend(checkpoint(tmp_path, kind))
    assert opened.versions["scoring"] == "packed"
    plain = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    prompts = [token_ids(80, 1), token_ids(80, 1)[:50] + token_ids(9, 2), (5,)]
    found = {made.index: made.tokens for made in opened.generate([GenerateRequest(p, 24) for p in prompts])}
    for index, prompt in enumerate(prompts):
        alone = plain.generate(torch.tensor([prompt]), max_new_tokens=24, do_sample=False)[0, len(prompt) :].tolist()
        assert list(found[index]) == [token for token in alone if token != 2]


def test_a_window_that_only_the_mask_knows_is_kept(tmp_path):
    """Documents reach further back than the window, as those of a trial do not."""
    folder = checkpoint(tmp_path / "windowed", "qwen2_moe", **MIXTURE)
    wide = checkpoint(tmp_path / "wide", "qwen2_moe", **{**MIXTURE, "sliding_window": 512})
    packed, exact = token_logprobs(backend(folder)), token_logprobs(backend(folder, eager=True))
    assert (packed - exact).abs().max() < 1e-4
    assert (packed - token_logprobs(backend(wide))).abs().max() > 0.1


def test_a_cap_on_logits_leaves_no_bias_in_half_precision(tmp_path):
    """Packed against plain in bf16: rounding only, as far and as unbiased as where nothing is capped."""
    apart = {}
    for cap in (30.0, None):
        folder = checkpoint(tmp_path / str(cap), "gemma2", torch.bfloat16, 0.2, **CAPPED, final_logit_softcapping=cap)
        opened = backend(folder, dtype="bfloat16")
        apart[cap] = token_logprobs(opened) - token_logprobs(backend(folder, eager=True, dtype="bfloat16"))
        assert opened.versions["scoring"] == "packed"
    spread = apart[None].std()
    assert apart[30.0].std() < 2 * spread
    error = apart[30.0].std() / apart[30.0].numel() ** 0.5
    assert apart[30.0].mean().abs() < 5 * error
