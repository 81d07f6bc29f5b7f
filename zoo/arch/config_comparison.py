"""Compare config.json with an entry's dimensions, across key spellings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.arch.config_keys import SPELLINGS, ConfigView
from zoo.arch.dims import Dense, Hybrid


@dataclass(frozen=True)
class Difference:
    """A dimension on which config and entry disagree, or that one of the two does not state (None)."""

    dimension: str
    key: str
    entry: Any
    config: Any

    @property
    def contradicts(self) -> bool:
        """Whether the two state different things; a dimension that one of them leaves open is no contradiction.

        A config without rope scaling does not leave it open: it has none.
        """
        return self.dimension == "rope.scaling.type" or None not in (self.entry, self.config)


def compare(dims: Dense | Hybrid, config: Mapping[str, Any]) -> list[Difference]:
    """Every dimension that differs or is stated on one side only, in the order of SPELLINGS.

    Two spellings of one dimension that contradict each other inside `config` are a difference each.
    """
    differences: list[Difference] = []
    view = ConfigView(config)
    for dimension, keys in SPELLINGS.items():
        if dimension.startswith("rope.") and isinstance(dims, Hybrid):
            continue  # Nemotron-H attends without positions, whatever rope keys its config carries along
        expected = _entry_value(dims, dimension)
        for key, value in view.stated(dimension) or [(keys[0], view.default(dimension))]:
            if value != expected:
                differences.append(Difference(dimension, key, expected, value))
    return differences


def _entry_value(dims: Dense | Hybrid, dimension: str) -> Any:
    part: Any = dims
    for name in dimension.split("."):
        part = getattr(part, name, None)
    return part
