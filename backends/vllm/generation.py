"""A request under a model's generation_config.json, in vLLM's own names. What vLLM does not follow is refused by name.

What counts before what is `GenerationMixin.generate`'s rule, as in `backends.generation_config`: the call's settings, then
generation_config.json, then transformers' defaults, of which `top_k: 50` acts whenever tokens are drawn.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backends.contract import GenerateRequest
from backends.driven.generation import ModelDecoding, neutral
from backends.generation_config import HINT, eos_ids
from backends.generation_settings import LOGITS, SAMPLING, unknown, unsupported
from zoo.errors import UnsupportedRequest, one_line

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.01, 2.0
"""What vLLM draws with: a lower one it takes for 0.01 (or for greedy), a higher one it refuses."""
FOLLOWED = frozenset({"repetition_penalty", "min_new_tokens", "eos_token_id", "top_k", "top_p", "min_p", "temperature"})
"""Settings that vLLM applies as transformers' processors do."""
SAME_TOKENS = frozenset({"renormalize_logits"})
"""Settings of the logits that change no token where the others are followed."""


class Settled(ModelDecoding):
    """How one model's requests are decoded by vLLM."""

    def request(self, request: GenerateRequest) -> GenerateRequest:
        """The request with `settings` in vLLM's names.

        UnsupportedRequest for a setting that vLLM does not follow, ValueError for an empty prompt or one that leaves no room,
        PromptTooLong where a `max_new_tokens` of generation_config.json, which counts before a request's own, does not fit.
        """
        config, limit = self.roomy(request)
        sampled = request.temperature > 0
        self._refuse(config, sampled)
        return replace(
            request,
            max_new_tokens=limit,
            top_p=config.top_p if sampled else None,
            settings=self._names(config, sampled),
        )

    def of_call(self, request: GenerateRequest) -> Any:
        """See `ModelDecoding`."""
        called: dict[str, Any] = {**request.settings, "do_sample": request.temperature > 0}
        if request.temperature > 0:
            called["temperature"] = request.temperature
        if request.top_p is not None:
            called["top_p"] = request.top_p
        if others := unknown(called):
            raise UnsupportedRequest(f"{', '.join(others)} is no setting of generation.", HINT)
        config = copy.deepcopy(self._config)
        try:
            config.update(**called)
            config.update(**config._get_default_generation_params(), defaults_only=True)
        except (TypeError, ValueError) as error:
            raise UnsupportedRequest(
                f"transformers refuses these generation settings ({one_line(error)}).", HINT
            ) from None
        return config

    def _refuse(self, config: Any, sampled: bool) -> None:
        defaults = config._get_default_generation_params()
        acting = LOGITS | SAMPLING if sampled else LOGITS
        values = {name: getattr(config, name, None) for name in acting - FOLLOWED - SAME_TOKENS}
        set_ = sorted(f"{name}: {value}" for name, value in values.items() if not neutral(value, defaults.get(name)))
        refused = [*unsupported(vars(config)), *set_]
        if sampled and not LOWEST_TEMPERATURE <= config.temperature <= HIGHEST_TEMPERATURE:
            refused.append(f"temperature: {config.temperature}")
        if sampled and config.min_p and (config.top_p or 1.0) < 1:
            refused.append(
                f"min_p: {config.min_p} before top_p: {config.top_p}"
            )  # vLLM applies them the other way round
        if config.min_new_tokens and self.ends(config) != eos_ids(config):
            refused.append(f"min_new_tokens: {config.min_new_tokens} where the tokenizer ends a text by another token")
        if refused:
            raise UnsupportedRequest(
                f"Text would be generated with {', '.join(refused)}, which vLLM does not follow as transformers does.",
                HINT,
            )

    def _names(self, config: Any, sampled: bool) -> Mapping[str, Any]:
        named: dict[str, Any] = {"stop_token_ids": sorted(self.ends(config))}
        if config.repetition_penalty not in (None, 1):
            named["repetition_penalty"] = float(config.repetition_penalty)
        if config.min_new_tokens:
            named["min_tokens"] = int(config.min_new_tokens)
        if sampled:
            named["top_k"] = int(config.top_k or 0)
            if config.min_p:
                named["min_p"] = float(config.min_p)
        return named
