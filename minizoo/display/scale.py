"""Numbers as people read them."""

from __future__ import annotations

import math
from math import floor, log10


def scaled_unit(value: float, unit: str) -> str:
    """With the prefix that leaves one to three digits before the point: `2.04 TB/s`."""
    prefixes = ("", "k", "M", "G", "T", "P")
    power = next((i for i in range(len(prefixes)) if abs(value) < 1000 ** (i + 1)), len(prefixes) - 1)
    scaled = value / 1000**power
    return f"{scaled:.{max(0, 2 - floor(log10(scaled))) if scaled >= 1 else 2}f} {prefixes[power]}{unit}"


def figure(value: float) -> str:
    """Four significant digits, never as a power of ten."""
    digits = 3 - floor(log10(abs(value))) if value else 0
    return f"{value:,.{min(max(digits, 0), 9)}f}"


def rough_duration(seconds: float, about: str = "about ") -> str:
    """One unit, as an estimate is told: `under a minute`, `about 40 min`, `about 3 h`, `about 2 d`."""
    for length, unit, most in ((60, "min", 90), (3600, "h", 48), (86400, "d", math.inf)):
        if seconds < most * length:
            count = seconds / length
            whole = round(count, -1 if count >= 20 and unit == "min" else 0)
            return f"{about}{whole:,.0f} {unit}" if count >= 1 else "under a minute"
    raise ValueError("seconds is not a number")


def duration(seconds: float) -> str:
    """Two units at most, as a wait is told: `45 s`, `3 min 20 s`, `1 h 05 min`, `2 d 4 h`."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s" if whole < 600 else f"{round(whole / 60)} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
