"""Numbers as sources print them (`8.3B`, `48`, `>15T`), compared at the precision at which they are printed."""

from __future__ import annotations

import re
from decimal import Decimal

PRINTED = re.compile(r"^[>~]?(\d+(?:\.\d+)?)\s?([KMBT]?)$")
FACTOR = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def printed_number(printed: str) -> Decimal:
    """The number that is printed: `8.3B` is 8.3 · 10⁹. Raises ValueError where it is none."""
    match = _match(printed)
    return Decimal(match[1]) * FACTOR[match[2]]


def same_at_printed_precision(printed: str, actual: float) -> bool:
    """Whether rounding `actual` to the digits of `printed` ('8.3B', '48', '37.5') gives `printed`.

    Raises ValueError when `printed` is not such a number.
    """
    match = _match(printed)
    digits = Decimal(match[1])
    scaled = Decimal(actual) / FACTOR[match[2]]
    half = Decimal(1).scaleb(int(digits.as_tuple().exponent)) / 2
    return abs(scaled - digits) <= half


def _match(printed: str) -> re.Match[str]:
    match = PRINTED.match(printed)
    if match is None:
        raise ValueError(f"{printed!r} is not a printed number")
    return match
