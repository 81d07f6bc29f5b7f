"""Which layers of a Qwen2 or Qwen3 attend within a window, as config.json says it and transformers reads it.

A window counts where `use_sliding_window` is true alone. `layer_types` names each layer's kind; without it the layers from
`max_window_layers` on slide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import InvalidConfig

WINDOWED = ("qwen2", "qwen3")
"""Classes (`model_type`) whose layers may differ so."""
WINDOW, FIRST = 4096, 28
"""What transformers takes for `sliding_window` and `max_window_layers` where they are absent."""
FULL, SLIDING = "full_attention", "sliding_attention"


def layer_kinds(config: Mapping[str, Any]) -> list[str] | None:
    """Each layer's kind of attention; None for a class whose layers are all of one kind, and where no layer slides."""
    if config.get("model_type") not in WINDOWED:
        return None
    kinds = config.get("layer_types")
    if not isinstance(kinds, list):
        first = config.get("max_window_layers")
        whole = (first if isinstance(first, int) else FIRST) if _window(config) is not None else None
        kinds = [
            FULL if whole is None or at < whole else SLIDING for at in range(config.get("num_hidden_layers") or FIRST)
        ]
    return kinds if SLIDING in kinds else None


def check_kinds(config: Mapping[str, Any], where: Path) -> None:
    """Raise InvalidConfig for kinds that are not one a layer or not known, and for layers that slide without a window."""
    kinds = config.get("layer_types") if config.get("model_type") in WINDOWED else None
    if isinstance(kinds, list) and (len(kinds) != config.get("num_hidden_layers") or set(kinds) - {FULL, SLIDING}):
        raise InvalidConfig(
            f"{where} has a config.json whose layer_types are not one of {FULL} and {SLIDING} a layer.", "Correct them."
        )
    if layer_kinds(config) is not None and _window(config) is None:
        raise InvalidConfig(
            f"{where} has layers that slide (layer_types) and no window in force.",
            "Set use_sliding_window and sliding_window, or make the layers full_attention.",
        )


def kept_kinds(config: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """What the config.json of a child says of the layers that it keeps (the parent's numbers): each attends as before.

    `max_window_layers` too, since not every engine reads `layer_types`, where full layers come first.
    """
    kinds = layer_kinds(config) or config.get("layer_types")
    if not isinstance(kinds, list):
        return {}
    ours = [kinds[at] for at in kept]
    if config.get("model_type") not in WINDOWED or SLIDING not in ours:
        return {"layer_types": ours}
    full = ours.count(FULL)
    return {"layer_types": ours, **({"max_window_layers": full} if SLIDING not in ours[:full] else {})}


def _window(config: Mapping[str, Any]) -> int | None:
    return config.get("sliding_window", WINDOW) if config.get("use_sliding_window") else None
