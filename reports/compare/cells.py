"""Numbers and words of a comparison as cells of its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.compare.gold import GoldComparison
    from harness.compare.items import Side
    from harness.compare.tested import Tested
    from harness.stats.paired.retained import Retained

ABSENT = "–"
SMALLEST_P = 1e-4
"""Below it a p-value is only said to be below it: the digits mean nothing."""


def number(value: float | None, digits: int = 4) -> str:
    """So many decimals; a large number with four digits in all."""
    if value is None:
        return ABSENT
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:,.4g}"


def score(value: float | None) -> str:
    """As lm-eval prints it."""
    return number(value)


def signed(value: float | None) -> str:
    """A difference, with its sign."""
    if value is None:
        return ABSENT
    return f"{value:+.4f}" if abs(value) < 100 else f"{value:+,.4g}"


def interval(lower: float | None, upper: float | None) -> str:
    """Both ends of a difference's interval."""
    return ABSENT if lower is None or upper is None else f"{signed(lower)} … {signed(upper)}"


def chance(p_value: float | None) -> str:
    """A p-value in two digits."""
    if p_value is None:
        return ABSENT
    return f"{p_value:.2g}" if p_value >= SMALLEST_P else "<0.0001"


def so(verdict: str, found: Tested) -> str:
    """The verdict; of no difference shown, what could have shown."""
    if verdict != "no difference shown":
        return verdict
    return (
        f"{verdict} (could show ≥ {number(found.detectable)})" if found.detectable else f"{verdict} (too few documents)"
    )


def shared_cells(found: Tested, p_holm: float | None) -> list[str]:
    """n, A, B, B − A, its interval, p."""
    values = [score(found.a_value), score(found.b_value), signed(found.difference), interval(found.lower, found.upper)]
    return [f"{found.n:,}", *values, chance(p_holm)]


def gold_cells(gold: GoldComparison | None) -> list[str]:
    """Δ log p, its interval, p."""
    if gold is None:
        return [ABSENT] * 3
    return [signed(gold.difference), interval(gold.lower, gold.upper), chance(gold.p_holm)]


def kept(retained: Retained | None) -> str:
    """The share of a score above chance that is left, with its interval; none where A's own score is not told from chance."""
    if retained is None or retained.value is None:
        return ABSENT
    if retained.lower is None or retained.upper is None:
        return "A at chance"
    return f"{100 * retained.value:.1f} % ({100 * retained.lower:.1f} – {100 * retained.upper:.1f})"


def side_line(letter: str, side: Side) -> str:
    """Where a side's results come from, what they were run with, and what speaks against it."""
    settings = dict.fromkeys(
        f"{one.backend}, {one.device}, {one.precision}"
        for one in (result.record.setting for result in side.results.values())
    )
    how = f" ({'; '.join(settings)})" if settings else ""
    doubt = f" {side.doubt[:1].upper()}{side.doubt[1:]}." if side.doubt else ""
    return f"{letter}: {side.name}, {side.where}{how}.{doubt}"
