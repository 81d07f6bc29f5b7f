"""How a value is written in a table: the text of a cell."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

ABSENT = "–"
DIRECTIONS = {True: "higher", False: "lower", None: ""}
UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # controls but tab and newline, and surrogates


def number(value: float | None) -> str:
    """Four decimals below ten, as lm-eval prints, fewer above; `–` for what is absent or not a number."""
    if value is None or math.isnan(value):
        return ABSENT
    if not math.isfinite(value) or abs(value) >= 1e9:
        return f"{value:.3g}"
    whole = len(str(int(abs(value))))
    told = f"{value:,.{max(0, 5 - whole)}f}"
    return told if told.strip("-0.") else told.lstrip("-")


def interval(lower: float | None, upper: float | None) -> str:
    """Both ends of an interval, or nothing where one is missing."""
    if lower is None or upper is None or math.isnan(lower) or math.isnan(upper):
        return ""
    return f"{number(lower)}–{number(upper)}"


def count(value: int | None) -> str:
    """A whole number with its thousands apart; `–` for none."""
    return ABSENT if value is None else f"{value:,}"


def size(value: float) -> str:
    """Bytes in GB, of a small model in MB."""
    return f"{value / 1e9:.2f} GB" if value >= 1e8 else f"{value / 1e6:.1f} MB"


def text(value: object) -> str:
    """Any value as text, empty for none."""
    return "" if value is None else str(value)


def writable(words: str) -> str:
    """The same words with U+FFFD for characters that no page may hold."""
    return UNWRITABLE.sub("\ufffd", words)


def moment(value: datetime | str | None, layout: str = "%Y-%m-%d %H:%M") -> str:
    """A time in UTC (where one without a zone is already), empty for none."""
    if value is None:
        return ""
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC):{layout}}"
