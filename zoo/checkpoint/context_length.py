"""How many tokens a model attends to, by lm-eval's rule: its configuration, else its tokenizer, else 2,048.

The rule is `resolve_max_length` of `lm_eval.models.utils` 0.4.13, on the configuration as transformers reads it: with the
defaults of its class, and with the keys that the class spells otherwise (DBRX's `max_seq_len`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import InvalidConfig

KEYS = ("n_positions", "max_position_embeddings", "n_ctx")
"""Configuration keys that state a context, in the order in which lm-eval asks for them."""
UNSET = 1_000_000_000_000_000_019_884_624_838_656
"""What transformers gives as `model_max_length` of a tokenizer that states none: int(1e30)."""
DEFAULT = 2048
"""lm-eval's, where nothing states a context: Mamba, and ALiBi models such as BLOOM and MPT."""


@dataclass(frozen=True)
class ContextLength:
    """A model's context and where it was read."""

    tokens: int
    assumed: str | None = None
    """Where the configuration states none: what was taken instead, in words. None where it is stated."""

    @property
    def note(self) -> str | None:
        """What the user is told; None where there is nothing to tell."""
        return f"The context is assumed: {self.assumed}." if self.assumed else None


def context_length(config: Mapping[str, Any], folder: Path) -> ContextLength:
    """The context of a model with this config.json, whose tokenizer is in `folder`.

    A multimodal model's is its text model's (`text_config`). Raises InvalidConfig for a context that is no positive whole
    number.
    """
    where = folder / "config.json"
    stated = _stated(_Keys(_text(config)), where)  # before transformers, which refuses a wrong type in words of its own
    read = _as_transformers_reads(config)
    if read is not None and not (stated is None and _unlimited(read)):
        stated = _stated(getattr(read, "text_config", None) or read, where)
    if stated is not None:
        return ContextLength(stated)
    found = _of_tokenizer(folder)
    if found is not None:
        return ContextLength(found, f"config.json states no context, so the tokenizer's {found:,} tokens are taken")
    return ContextLength(
        DEFAULT, f"neither config.json nor the tokenizer states a context, so lm-eval's {DEFAULT:,} tokens are taken"
    )


class _Keys:
    """A configuration's keys as attributes."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.__dict__.update(config)


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = config.get("text_config")
    return nested if isinstance(nested, Mapping) and nested else config


def _stated(config: object, where: Path) -> int | None:
    for key in KEYS:
        value = getattr(config, key, None)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidConfig(
                f"{where}: {key} is {value!r}, which is no number of tokens.", "Write a whole number of 1 or more."
            )
        return value
    return None


def _unlimited(read: Any) -> bool:
    """Whether a class says in its own way that nothing is stated (XLNet's -1, which no config.json can hold)."""
    return getattr(read, "max_position_embeddings", None) == -1


def _as_transformers_reads(config: Mapping[str, Any]) -> Any | None:
    """The configuration object; None for a model class that transformers does not have, or whose keys it refuses."""
    from transformers import CONFIG_MAPPING

    try:
        return CONFIG_MAPPING[config["model_type"]].from_dict(copy.deepcopy(dict(config)))
    except Exception:  # the engine that loads the model refuses it with transformers' reason
        return None


def _of_tokenizer(folder: Path) -> int | None:
    """The tokenizer's `model_max_length`; None where it states none, or there is no tokenizer."""
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception:  # whoever needs the tokenizer tells why it cannot be read
        return None
    value = tokenizer.model_max_length
    if value is None or value == UNSET:
        return None
    whole = not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    )
    if not whole or value < 1:
        raise InvalidConfig(
            f"{folder / 'tokenizer_config.json'}: model_max_length is {value!r}, which is no number of tokens, and "
            "config.json states no context.",
            "Write a whole number of 1 or more, or take it out.",
        )
    return int(value)
