"""What is left of a parent's score, of two figures that nothing pairs by document: each has an interval of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.stats import constants
from harness.stats.estimate import Estimate
from harness.stats.paired.retained import ROUNDING
from reports.board.model import ColumnKey, ModelFacts, Share, Source
from reports.board.published import Cells, Published


def unpaired_share(
    parent: str, reference: Estimate, candidate: Estimate, chance: float | None, source: Source
) -> Share | None:
    """The share above chance that the candidate's is of the reference's; None where one has no value.

    Fieller's interval (JRSS B 1954, 16:175) of two independent means, whose variances are taken from their intervals. Both are
    of the same documents, so their errors mostly rise and fall together, and a paired interval would be narrower. Without
    chance there is the raw ratio alone; without an interval of either, or where the reference's own error reaches chance, none.
    """
    a, b = reference.value, candidate.value
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return None
    raw = b / a if a > 0 else None
    if chance is None or a <= chance:
        return Share(parent, None, None, None, raw, source)
    above, kept = a - chance, b - chance
    lower, upper = _ends(above, kept, _variance(reference), _variance(candidate))
    return Share(parent, kept / above, lower, upper, raw, source)


def published_shares(
    cells: Cells, facts: Mapping[str, ModelFacts], chances: Mapping[ColumnKey, float | None]
) -> dict[tuple[str, ColumnKey], Share]:
    """(model, column) → what it keeps by printed figures: the model's and its parent's of one protocol and source.

    The source of the figure that is shown comes first; where it does not print the parent, another that prints both.
    """
    found: dict[tuple[str, ColumnKey], Share] = {}
    for model, own in cells.items():
        parent = facts[model].parent
        theirs = cells.get(parent or "", {})
        for key, cell in own.items():
            share = _of_pair(cell.ranked, theirs[key].ranked, parent or "", chances[key]) if key in theirs else None
            if share is not None:
                found[model, key] = share
    return found


def _of_pair(
    own: tuple[Published, ...], theirs: tuple[Published, ...], parent: str, chance: float | None
) -> Share | None:
    by_table = {(one.score.origin, one.score.protocol): one for one in reversed(theirs)}
    for one in own:
        other = by_table.get((one.score.origin, one.score.protocol))
        if other is not None:
            return unpaired_share(parent, other.estimate, one.estimate, chance, "published")
    return None


def _variance(figure: Estimate) -> float | None:
    if figure.lower is None or figure.upper is None:
        return None
    return ((figure.upper - figure.lower) / (2 * constants.Z)) ** 2


def _ends(
    above: float, kept: float, of_reference: float | None, of_candidate: float | None
) -> tuple[float | None, float | None]:
    """The shares θ for which kept - θ·above is not told from 0: between the roots of a quadratic."""
    if of_reference is None or of_candidate is None:
        return None, None
    z = constants.Z**2
    square = above**2 - z * of_reference
    if square <= ROUNDING * above**2:
        return None, None
    root = math.sqrt(max(0.0, (above * kept) ** 2 - square * (kept**2 - z * of_candidate)))
    return (above * kept - root) / square, (above * kept + root) / square
