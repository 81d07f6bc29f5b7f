"""A request for text under a model's generation_config.json, for TensorRT-LLM: greedy decoding, and nothing else.

Drawn text is refused. Its sampler for PyTorch has one stream of random numbers for all requests, and where it takes a seed a
request, flashinfer reads the one of the batch's first row alone (NVIDIA/TensorRT-LLM#17172, flashinfer-ai/flashinfer#2345):
what is drawn would hang on the neighbours in the batch.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from backends.contract import GenerateRequest
from backends.driven.generation import ModelDecoding, neutral
from backends.generation_config import HINT
from backends.generation_settings import LOGITS, unknown, unsupported
from zoo.errors import UnsupportedRequest, one_line

FOLLOWED = frozenset({"eos_token_id", "renormalize_logits"})
"""Settings of the logits that the engine follows, or that change no token of greedy text."""
DRAWN = (
    "Text would be drawn, and TensorRT-LLM's sampler does not draw by a request's own seed: what it draws hangs on the other "
    "requests of the batch."
)


class Settled(ModelDecoding):
    """How one model's requests are decoded by TensorRT-LLM."""

    def request(self, request: GenerateRequest) -> GenerateRequest:
        """The request with `settings` in the worker's names: the tokens that end a text.

        UnsupportedRequest for drawn text and for a setting that is not followed, ValueError for an empty prompt or one that
        leaves no room, PromptTooLong where a `max_new_tokens` of generation_config.json does not fit.
        """
        config, limit = self.roomy(request)
        return replace(
            request, max_new_tokens=limit, top_p=None, settings={"stop_token_ids": sorted(self.ends(config))}
        )

    def of_call(self, request: GenerateRequest) -> Any:
        """See `ModelDecoding`."""
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
        set_ = [f"{name}: {value}" for name, value in values.items() if not neutral(value, defaults.get(name))]
        if refused := [*unsupported(vars(config)), *set_]:
            raise UnsupportedRequest(
                f"Text would be generated with {', '.join(refused)}, which TensorRT-LLM does not follow here.", HINT
            )
        return config
