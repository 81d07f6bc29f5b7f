"""A request for text under a model's generation_config.json, for TensorRT-LLM: greedy decoding, and nothing else.

Drawn text is refused. Its sampler for PyTorch has one stream of random numbers for all requests, and where it takes a seed a
request, flashinfer reads the one of the batch's first row alone (NVIDIA/TensorRT-LLM#17172, flashinfer-ai/flashinfer#2345):
what is drawn would hang on the neighbours in the batch.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.contract import GenerateRequest, Generation, Tokenizer
from backends.generation_config import HINT, eos_ids
from backends.generation_settings import LOGITS, unknown, unsupported
from zoo.errors import PromptTooLong, UnsupportedRequest, one_line

FOLLOWED = frozenset({"eos_token_id", "renormalize_logits"})
"""Settings of the logits that the engine follows, or that change no token of greedy text."""
DRAWN = (
    "Text would be drawn, and TensorRT-LLM's sampler does not draw by a request's own seed: what it draws hangs on the other "
    "requests of the batch."
)


def file_config(folder: Path) -> Any:
    """generation_config.json, else what config.json says of generation, as transformers reads them. UnsupportedRequest where it
    cannot."""
    from transformers import AutoConfig, GenerationConfig

    try:
        if (folder / "generation_config.json").is_file():
            return GenerationConfig.from_pretrained(folder, local_files_only=True)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return GenerationConfig.from_model_config(config)
    except Exception as error:  # transformers raises whatever its parser met
        raise UnsupportedRequest(
            f"transformers cannot read how {folder} generates ({one_line(error)[:160]}).",
            "Mend or remove its generation_config.json.",
        ) from None


class Settled:
    """How one model's requests are decoded by TensorRT-LLM."""

    def __init__(self, config: Any, tokenizer: Tokenizer, max_length: int) -> None:
        """`config` is the model's own, of `file_config`."""
        self._config, self._tokenizer, self._max_length = config, tokenizer, max_length

    def request(self, request: GenerateRequest) -> GenerateRequest:
        """The request with `settings` in the worker's names: the tokens that end a text.

        UnsupportedRequest for drawn text and for a setting that is not followed, ValueError for an empty prompt or one that
        leaves no room, PromptTooLong where a `max_new_tokens` of generation_config.json does not fit.
        """
        if not request.prompt:
            raise ValueError("a generate request needs at least one token of prompt")
        if len(request.prompt) + request.max_new_tokens > self._max_length:
            raise ValueError(
                f"{len(request.prompt)} + {request.max_new_tokens} tokens do not fit into {self._max_length}"
            )
        config = self._of_call(request)
        limit = config.max_new_tokens or request.max_new_tokens
        if len(request.prompt) + limit > self._max_length:
            raise PromptTooLong(
                f"generation_config.json sets max_new_tokens to {limit}, which transformers puts before a task's own limit; "
                f"after a prompt of {len(request.prompt)} tokens they do not fit into a context of {self._max_length}.",
                "Take max_new_tokens out of generation_config.json: the tasks' own limits then hold.",
            )
        return replace(
            request, max_new_tokens=limit, top_p=None, settings={"stop_token_ids": sorted(self._ends(config))}
        )

    def generation(self, request: GenerateRequest, made: Generation) -> Generation:
        """The contract's generation: the token that ended it is left out, unless it has a text of its own."""
        tokens = made.tokens
        ends = self._ends(self._of_call(request))
        if tokens and tokens[-1] in ends and not self._tokenizer.decode([tokens[-1]], skip_special_tokens=True):
            tokens = tokens[:-1]
        return replace(made, tokens=tokens)

    def _of_call(self, request: GenerateRequest) -> Any:
        if others := unknown(request.settings):
            raise UnsupportedRequest(f"{', '.join(others)} is no setting of generation.", HINT)
        if request.temperature > 0:
            raise UnsupportedRequest(DRAWN, "Take another backend for text: `--backend score=trtllm,generate=hf`.")
        config = copy.deepcopy(self._config)
        try:
            config.update(**{**request.settings, "do_sample": False})
        except (TypeError, ValueError) as error:
            raise UnsupportedRequest(
                f"transformers refuses these generation settings ({one_line(error)}).", HINT
            ) from None
        defaults = config._get_default_generation_params()
        values = {name: getattr(config, name, None) for name in sorted(LOGITS - FOLLOWED)}
        set_ = [f"{name}: {value}" for name, value in values.items() if not _neutral(value, defaults.get(name))]
        if refused := [*unsupported(vars(config)), *set_]:
            raise UnsupportedRequest(
                f"Text would be generated with {', '.join(refused)}, which TensorRT-LLM does not follow here.", HINT
            )
        return config

    def _ends(self, config: Any) -> set[int]:
        own = self._tokenizer.eos_id
        return eos_ids(config) | ({own} if own is not None else set[int]())


def _neutral(value: Any, default: Any) -> bool:
    """Whether a setting acts on nothing: what transformers has where nobody sets it, or empty."""
    return value is None or value == default or (isinstance(value, Sequence) and not value)
