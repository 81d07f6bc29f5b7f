"""A model's generation_config.json under a request's own settings, as the logits processors of transformers itself.

What counts before what is `GenerationMixin.generate`'s rule (transformers 5.17 to 5.23): the call's settings, then
generation_config.json, then transformers' defaults, of which `top_k: 50` acts whenever tokens are drawn. The call is that of
lm-eval's own model: `do_sample` and, where it is true, `temperature` always come from the request.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from backends.contract import GenerateRequest
from backends.generation_settings import LOGITS, SAMPLING, UNSUPPORTED, unsupported
from zoo.errors import UnsupportedRequest, one_line

HINT = "Change it in the checkpoint's generation_config.json, or in the task where it says so itself."


def config_of(model: Any, request: GenerateRequest) -> Any:
    """transformers' configuration of this request's generation; UnsupportedRequest for what is not followed."""
    sampled = request.temperature > 0
    called: dict[str, Any] = {**request.settings, "do_sample": sampled}
    if sampled:
        called["temperature"] = request.temperature
    if request.top_p is not None:
        called["top_p"] = request.top_p
    if not model.can_generate():
        raise UnsupportedRequest(f"transformers generates no text with {type(model).__name__}.", "Leave the task out.")
    try:
        config, unknown = model._prepare_generation_config(None, **called)
    except (TypeError, ValueError) as error:
        raise UnsupportedRequest(f"transformers refuses these generation settings ({one_line(error)}).", HINT) from None
    if unknown:
        raise UnsupportedRequest(f"{', '.join(sorted(unknown))} is no setting of generation.", HINT)
    if refused := unsupported(vars(config)):
        raise UnsupportedRequest(f"Text would be generated with {', '.join(refused)}, which is not followed.", HINT)
    return config


def processors_of(model: Any, config: Any, request: GenerateRequest, device: Any) -> Any:
    """transformers' own list of processors for this request alone, as it is without padding; empty where none acts."""
    own, length = copy.copy(config), len(request.prompt)
    own.max_length = length + request.max_new_tokens
    if own.min_new_tokens is not None:
        own.min_length = length + own.min_new_tokens
    model._prepare_special_tokens(own, True, device=device, batch_size=1)
    return model._get_logits_processor(
        generation_config=own,
        input_ids_seq_length=length,
        encoder_input_ids=torch.tensor([request.prompt], device=device),
        device=device,
        model_kwargs={},
    )


def tried_processors(model: Any, config: Any, request: GenerateRequest) -> Any:
    """`processors_of` on a CPU, once applied; UnsupportedRequest where a setting's value makes no sense to transformers."""
    try:
        processors = processors_of(model, config, request, "cpu")
        logits = torch.zeros(1, model.config.get_text_config().vocab_size)
        processors(torch.tensor([request.prompt]), logits)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
        named = ", ".join(f"{name}: {value}" for name, value in _set(config, LOGITS | SAMPLING).items())
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise UnsupportedRequest(f"Text cannot be generated with {named} ({reason}).", HINT) from None
    return processors


def eos_ids(config: Any) -> set[int]:
    """The tokens that end a text by generation_config.json: none, one or several."""
    named = config.eos_token_id
    return {named} if isinstance(named, int) else set(named or ())


def applied_settings(model: Any) -> str:
    """What a model's generation_config.json changes from transformers' defaults beside a task's own settings; for records."""
    drawn = config_of_file(model)
    always = _set(drawn, (LOGITS - {"eos_token_id"}) | {"max_new_tokens"} | UNSUPPORTED.keys())
    if len(eos_ids(drawn)) > 1:
        always["eos_token_id"] = sorted(eos_ids(drawn))
    sampled = _set(drawn, SAMPLING - {"temperature"})
    parts = [", ".join(f"{name}={found[name]}" for name in sorted(found)) for found in (always, sampled)]
    return "; ".join(part for part in (parts[0], parts[1] and f"when sampling {parts[1]}") if part)


def config_of_file(model: Any) -> Any:
    """generation_config.json over transformers' defaults."""
    config = copy.deepcopy(model.generation_config)
    config.update(**config._get_default_generation_params(), defaults_only=True)
    return config


def _set(config: Any, names: Any) -> dict[str, Any]:
    """Those of the settings that have another value than transformers' default."""
    defaults = config._get_default_generation_params()
    values = {name: getattr(config, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None and value != defaults.get(name)}
