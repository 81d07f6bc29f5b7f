"""The sentences that the leaderboard opens with: which small model keeps how much, how fast, and how far to trust it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reports.board.model import Board, BoardRow, Figure, Share, SpeedUp, TaskColumn
from reports.pages.board_cells import clipped, finite, first_finite, percent, percent_interval, times

NAME = 80
SMALLER = 0.97
"""A model with more than this share of its parent's parameters is not a small one."""
KINDS = ("base", "instruct", "reasoning")


@dataclass(frozen=True)
class Claim:
    """One answer: the model that surely keeps the most of its parent on one task, and those that the data do not tell from it."""

    row: BoardRow
    column: TaskColumn
    share: Share
    run_id: str | None
    measured: bool
    equals: tuple[str, ...]

    @property
    def name(self) -> str:
        """The model's name."""
        return clipped(self.row.facts.display or self.row.facts.id, NAME)

    @property
    def kept(self) -> str:
        """`97.0 % (93.0–101.0)`."""
        between = percent_interval(self.share.lower, self.share.upper)
        return percent(self.share.value) + (f" ({between})" if between else "")

    @property
    def size(self) -> str:
        """`50 %`: the model's parameters as a share of the parent's."""
        facts = self.row.facts
        return f"{100 * (facts.parameters or 0) / (facts.parent_parameters or 1):.0f}\u00a0%"

    @property
    def speed(self) -> SpeedUp | None:
        """The speed-up that is surest to be large, measured before published."""
        return max(
            self.row.speedups,
            key=lambda each: (each.source != "published", first_finite(each.lower, each.ratio) or 0.0),
            default=None,
        )

    @property
    def speed_ratio(self) -> str:
        """`1.80×`."""
        return times(self.speed.ratio) if self.speed else ""


def answers(board: Board, groups: Sequence[str]) -> tuple[Claim, ...]:
    """The best claim of what was measured, then of what is published, each from the first of these groups that has one."""
    found = (_best(board, groups, measured) for measured in (True, False))
    return tuple(claim for claim in found if claim is not None)


def _best(board: Board, groups: Sequence[str], measured: bool) -> Claim | None:
    for group in groups:
        for column in (each for each in board.columns if each.group == group):
            candidates = [
                (row, figure, figure.retained)
                for row in board.rows
                for figure in row.figures.get(column.key, ())
                if figure.retained is not None and _counts(row, figure, figure.retained, measured)
            ]
            for kind in dict.fromkeys([*KINDS, *(row.facts.kind for row, _, _ in candidates)]):
                ranked = sorted(
                    (each for each in candidates if each[0].facts.kind == kind),
                    key=lambda each: (-_surely(each[2]), each[0].facts.id),
                )
                if ranked:
                    return _claim(ranked, column, measured)
    return None


def _claim(ranked: Sequence[tuple[BoardRow, Figure, Share]], column: TaskColumn, measured: bool) -> Claim:
    row, figure, share = ranked[0]
    # Only an interval can say that two are not told apart.
    equals = [
        clipped(other.facts.display, NAME)
        for other, _, its in ranked[1:]
        if its.upper is not None and share.lower is not None and its.upper >= share.lower
    ]
    names = [name for name in dict.fromkeys(equals) if name != row.facts.display]
    return Claim(row, column, share, figure.run_id, measured, tuple(names))


def _counts(row: BoardRow, figure: Figure, share: Share, measured: bool) -> bool:
    """Whether a share may be the answer: of a smaller model, on a whole task, from such a source."""
    facts = row.facts
    smaller = bool(facts.parameters and facts.parent_parameters) and (
        (facts.parameters or 0) <= SMALLER * (facts.parent_parameters or 0)
    )
    whole = figure.n is None or figure.total is None or figure.n >= figure.total
    return smaller and whole and finite(share.value) is not None and (figure.source == "measured") == measured


def _surely(share: Share) -> float:
    return first_finite(share.lower, share.value) or 0.0


def verdicts(board: Board) -> tuple[tuple[str, int], ...]:
    """How often a published figure that was measured again was reproduced, differs, and so on."""
    counted = Counter(
        figure.verdict for row in board.rows for figures in row.figures.values() for figure in figures if figure.verdict
    )
    return tuple(sorted(counted.items(), key=lambda each: (-each[1], each[0])))


def lead_first(board: Board) -> tuple[str, ...]:
    """The task groups, that with the most measured figures first, the others in the board's order."""
    groups = board.groups()
    of = {column.key: column.group for column in board.columns}
    measured = Counter(
        of[key]
        for row in board.rows
        for key, figures in row.figures.items()
        if key in of and any(figure.source == "measured" for figure in figures)
    )
    lead = max(groups, key=lambda group: (measured[group], -groups.index(group)), default="")
    return (lead, *(group for group in groups if group != lead)) if groups else ()
