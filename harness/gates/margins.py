"""Margins as people write them: `0.5pp`, `{relative: 1%}`, `0.005`. A per cent that says not of what is refused."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from zoo.strict import Strict

_POINTS = re.compile(r"^\s*([0-9.]+(?:e-?[0-9]+)?)\s*pp\s*$", re.IGNORECASE)
_PER_CENT = re.compile(r"^\s*([0-9.]+(?:e-?[0-9]+)?)\s*%\s*$", re.IGNORECASE)
_NATS = re.compile(r"^\s*([0-9.]+(?:e-?[0-9]+)?)\s*(?:nats?)?\s*$", re.IGNORECASE)
AMBIGUOUS = "a margin in % could be points or a share of the reference's score: write `1pp` or `{relative: 1%}`"


def _share(value: Any) -> Any:
    """`1 %` as 0.01; anything else as it stands."""
    return _number(_PER_CENT, value, 0.01)


def _nats(value: Any) -> Any:
    """`0.002 nats` as 0.002."""
    return _number(_NATS, value, 1.0)


def _number(pattern: re.Pattern[str], value: Any, unit: float) -> Any:
    found = pattern.match(value) if isinstance(value, str) else None
    try:
        return value if found is None else float(found[1]) * unit
    except ValueError:  # `1.2.3`
        return value


PartOfOne = Annotated[float, BeforeValidator(_share)]
"""A number from 0 to 1, or one with a per cent sign."""
Nats = Annotated[float, BeforeValidator(_nats), Field(ge=0)]


class Margin(Strict):
    """The largest loss that counts as none: of a score in the metric's own unit, or as a share of the reference's score."""

    absolute: Annotated[float, Field(gt=0)] | None = None
    """0.01 of an accuracy is one point."""
    relative: Annotated[PartOfOne, Field(gt=0, lt=1)] | None = None
    points: bool = False
    """Whether it was written in percentage points (`1pp`), which only scores from 0 to 1 have."""

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return {"absolute": float(value)}
        if isinstance(value, str):
            if _PER_CENT.match(value):
                raise ValueError(AMBIGUOUS)
            return _in_points(value)
        if isinstance(value, dict) and isinstance(value.get("absolute"), str):
            return value | _in_points(value["absolute"])
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> Margin:
        if (self.absolute is None) == (self.relative is None):
            raise ValueError("a margin is either absolute or relative: write `1pp`, `0.01` or `{relative: 1%}`")
        return self

    def of(self, reference: float) -> float:
        """The margin in the metric's own unit beside that score of the reference; always positive or 0."""
        if self.absolute is not None:
            return self.absolute
        return (self.relative or 0.0) * abs(reference)

    def __str__(self) -> str:
        if self.relative is not None:
            return f"{100 * self.relative:.3g} % of the reference"
        value = self.absolute or 0.0
        return f"{100 * value:.3g}pp" if self.points else f"{value:.4g}"


def _in_points(text: str) -> dict[str, Any]:
    value = _number(_POINTS, text, 0.01)
    if isinstance(value, str):
        raise ValueError(f"'{text:.40}' is no margin: write `1pp`, `0.01` or `{{relative: 1%}}`")
    return {"absolute": value, "points": True}
