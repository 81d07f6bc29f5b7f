"""Rows split by what their documents are: by subject, by the place of the right answer, by the length of the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.compare.evidence import Evidence
from harness.compare.gold import GoldComparison, gold_comparison
from harness.compare.items import ScoreKey
from harness.compare.task import TaskComparison, verdict_of
from harness.compare.tested import Tested, tested
from harness.stats.paired.holm import holm

Factor = Literal["subject", "position", "length"]
QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Level:
    """A part of a row's documents, compared as the row itself."""

    key: ScoreKey
    name: str
    """`mmlu_law`, `place 2`, `412 – 630 characters`."""
    tested: Tested
    gold: GoldComparison | None
    higher_is_better: bool | None
    p_holm: float = 1.0
    """Adjusted over all levels of all rows."""

    @property
    def verdict(self) -> str:
        """As a row's."""
        return verdict_of(self.tested.difference, self.p_holm, self.higher_is_better)


@dataclass(frozen=True)
class Split:
    """All levels of all rows, and what could not be split, with the reason."""

    by: Factor
    levels: tuple[Level, ...]
    refused: tuple[str, ...]


def split(rows: Sequence[TaskComparison], by: Factor) -> Split:
    """Split every row that was compared. Holm runs over all levels, of the right answers' log-probability too."""
    levels: list[Level] = []
    refused: list[str] = []
    for row in rows:
        if row.evidence is None:
            continue
        made = FACTORS[by](row.evidence)
        if isinstance(made, str):
            refused.append(f"{row.key.task}: {made}")
        else:
            levels += _levels(row, row.evidence, made)
    return Split(by, tuple(_adjusted(levels)), tuple(refused))


def _levels(row: TaskComparison, evidence: Evidence, masks: Mapping[str, Any]) -> Iterator[Level]:
    for name, mask in masks.items():
        part = evidence.where(mask)
        yield Level(
            row.key, name, tested(part, row.higher_is_better), gold_comparison(part), row.higher_is_better
        )  # fmt: skip


def _adjusted(levels: Sequence[Level]) -> list[Level]:
    scores = holm([level.tested.p_value for level in levels])
    golds = iter(holm([level.gold.p_value for level in levels if level.gold]))
    return [
        replace(level, p_holm=p, gold=replace(level.gold, p_holm=next(golds)) if level.gold else None)
        for level, p in zip(levels, scores, strict=True)
    ]


def _by_subject(evidence: Evidence) -> dict[str, Any]:
    return {name: evidence.task == name for name in dict.fromkeys(evidence.task)}


def _by_position(evidence: Evidence) -> dict[str, Any] | str:
    import numpy as np

    known = evidence.position >= 0
    if not known.any():
        return "the places of its right answers are not known (it has no choices, or the records are of before they were kept)"
    return {f"place {place}": evidence.position == place for place in np.unique(evidence.position[known]).tolist()}


def _by_length(evidence: Evidence) -> dict[str, Any] | str:
    """By quarters of the prompts' lengths; fewer levels where many prompts are of one length."""
    import numpy as np

    known = evidence.length >= 0
    if not known.any():
        return "the lengths of its prompts are not known (the records are of before they were kept)"
    lengths = evidence.length[known]
    ends = [int(end) for end in np.unique(np.quantile(lengths, (*QUARTERS, 1.0), method="lower"))]
    levels: dict[str, Any] = {}
    below = -1
    for end in ends:
        mask = (evidence.length > below) & (evidence.length <= end) & known
        if mask.any():
            start = int(evidence.length[mask].min())
            levels[f"{end:,} characters" if start == end else f"{start:,} – {end:,} characters"] = mask
        below = end
    return levels


FACTORS: dict[Factor, Callable[[Evidence], dict[str, Any] | str]] = {
    "subject": _by_subject,
    "position": _by_position,
    "length": _by_length,
}
"""Factor → the documents of each level, or why there are none."""
