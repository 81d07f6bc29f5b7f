"""Numbers as people read them."""

from __future__ import annotations

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
