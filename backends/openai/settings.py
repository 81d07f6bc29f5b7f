"""A generation's settings in a server's own fields: what it would leave to itself is said, what it cannot take is refused.

The rule of what counts before what is that of `backends.generation_config`: a request's own, then the checkpoint's
generation_config.json, then transformers' defaults. A server may know none of the last two, so all three are sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.contract import GenerateRequest
from backends.generation_settings import LOGITS, SAMPLING, unknown, unsupported
from backends.openai.dialects import Dialect
from zoo.errors import InvalidConfig, UnsupportedRequest

TOP_K = 50
"""transformers' default, which acts whenever tokens are drawn."""
OFF: Mapping[str, float] = {
    "repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0, "top_p": 1.0, "typical_p": 1.0,
}  # fmt: skip
"""Values that change nothing, where that is neither 0 nor nothing at all."""
TOLD = frozenset({"eos_token_id", "temperature", "top_p", "renormalize_logits", "remove_invalid_values"})
"""Settings that travel otherwise, or that change no token of finite logits."""
HINT = "Take a backend that runs the model here (`--backend hf`), or leave the task out."


def file_settings(folder: Path) -> dict[str, Any]:
    """generation_config.json of a checkpoint, empty where it has none; InvalidConfig for one that is no JSON object."""
    path = folder / "generation_config.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InvalidConfig(f"{path} is no JSON object.", "Write it again, or take it away.")
    return found


def eos_ids(file: Mapping[str, Any], config: Mapping[str, Any], tokenizer_eos: int | None) -> set[int]:
    """The tokens that end a text: of generation_config.json, else of config.json, and the tokenizer's own."""
    named = file.get("eos_token_id", config.get("eos_token_id"))
    found = {named} if isinstance(named, int) else set(named or ())
    return found | ({tokenizer_eos} if tokenizer_eos is not None else set[int]())


def limit_of(request: GenerateRequest, file: Mapping[str, Any]) -> int:
    """New tokens at most: a `max_new_tokens` of generation_config.json counts before a request's own, in transformers too."""
    limit = file.get("max_new_tokens")
    return limit if isinstance(limit, int) else request.max_new_tokens


def fields_of(request: GenerateRequest, file: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """The fields that say how the next token is chosen. Raises UnsupportedRequest for what the server has no field for."""
    sampled = request.temperature > 0
    settings = {**file, **request.settings}
    if foreign := unknown(request.settings):
        raise UnsupportedRequest(f"{', '.join(foreign)} is no setting of generation.", HINT)
    if refused := unsupported({**settings, "do_sample": sampled}):
        raise UnsupportedRequest(f"Text would be generated with {', '.join(refused)}, which is not followed.", HINT)
    fields: dict[str, Any] = {"temperature": request.temperature, "presence_penalty": 0, "frequency_penalty": 0}
    if sampled:
        settings.setdefault("top_k", TOP_K)
        top_p = request.top_p if request.top_p is not None else settings.get("top_p")
        fields |= {"seed": request.seed, "top_p": 1.0 if top_p is None else float(top_p)}
    acting = (LOGITS | (SAMPLING if sampled else frozenset[str]())) - TOLD
    untold = sorted(name for name in acting if _acts(name, settings.get(name)) and name not in dialect.settings)
    if untold:
        named = ", ".join(f"{name}: {settings[name]}" for name in untold)
        raise UnsupportedRequest(f"Text would be generated with {named}, which the server has no field for.", HINT)
    return fields | _in_words_of(dialect, settings, acting)


def _in_words_of(dialect: Dialect, settings: Mapping[str, Any], acting: frozenset[str]) -> dict[str, Any]:
    """Every setting that the server has a field for, with the value that changes nothing where none acts.

    A server may have defaults of its own (`vllm serve` reads generation_config.json, llama.cpp has a top_k of 40).
    """
    told: dict[str, Any] = {}
    for name, field in dialect.settings.items():
        value = settings.get(name) if name in acting else None
        told[field] = value if _acts(name, value) else dialect.off.get(name, OFF.get(name, 0))
    return told


def _acts(name: str, value: Any) -> bool:
    return value is not None and value is not False and value not in (0, [], {}, "") and value != OFF.get(name)
