"""Tables and shares as the certificate writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def table(titles: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table's lines; titles are separated by bars."""
    yield "| " + " | ".join(titles.split("|")) + " |"
    yield "|" + "---|" * len(titles.split("|"))
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def percent(value: float) -> str:
    """Two digits below 2 %."""
    if 0 < value < 0.0001:
        return "< 0.01 %"
    return f"{100 * value:.{2 if value < 0.02 else 1}f} %".replace(".00 %", " %").replace(".0 %", " %")


def interval(row: dict[str, Any]) -> str:
    """Of a share."""
    return f"{percent(row['lower'])} to {percent(row['upper'])}"


def told(row: dict[str, Any]) -> str:
    """A share with its interval."""
    return f"{percent(row['share'])} ({interval(row)})"
