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
MANY = 2 / 3
"""Share of the most tasks that a model must have to be considered."""
KINDS = ("base", "instruct", "reasoning")


Kept = tuple[TaskColumn, Figure, Share]
Candidate = tuple[BoardRow, tuple[Kept, ...]]


@dataclass(frozen=True)
class Claim:
    """One answer: of the models with many tasks of a group, that whose weakest shared task surely keeps the most.

    The weakest task and the strongest are told, so that nobody's favourite task is the headline.
    """

    row: BoardRow
    parent: str
    kept: tuple[Kept, ...]
    """What is kept of each task, the weakest first."""
    measured: bool
    equals: tuple[str, ...]
    """Models whose weakest task may keep as much."""

    @property
    def weakest(self) -> str:
        """`94.4 % (85.6–104.0)`."""
        share = self.kept[0][2]
        between = percent_interval(share.lower, share.upper)
        return percent(share.value) + (f" ({between})" if between else "")

    @property
    def strongest(self) -> str:
        """`103.7 %`, or nothing where there is one task."""
        return percent(self.kept[-1][2].value) if len(self.kept) > 1 else ""

    @property
    def name(self) -> str:
        """The model's name."""
        return clipped(self.row.facts.display or self.row.facts.id, NAME)

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


@dataclass(frozen=True)
class Fastest:
    """The largest speed-up of the board, measured before published."""

    model: str
    name: str
    speed: SpeedUp
    ratio: str


def fastest(board: Board, claims: Sequence[Claim]) -> Fastest | None:
    """What the first screen says of speed where none of its claims does."""
    known = [(row, each) for row in board.rows for each in row.speedups if finite(each.ratio) is not None]
    if not known or any(claim.speed for claim in claims):
        return None
    row, best = max(
        known, key=lambda found: (found[1].source != "published", first_finite(found[1].lower, found[1].ratio) or 0)
    )
    return Fastest(row.facts.id, clipped(row.facts.display or row.facts.id, NAME), best, times(best.ratio))


def answers(board: Board, groups: Sequence[str]) -> tuple[Claim, ...]:
    """The best claim of what was measured, then of what is published, each from the first of these groups that has one."""
    found = (_best(board, groups, measured) for measured in (True, False))
    return tuple(claim for claim in found if claim is not None)


def _best(board: Board, groups: Sequence[str], measured: bool) -> Claim | None:
    for group in groups:
        columns = [column for column in board.columns if column.group == group]
        found = [(row, kept) for row in board.rows if (kept := _kept(row, columns, measured))]
        for kind in dict.fromkeys([*KINDS, *(row.facts.kind for row, _ in found)]):
            of_kind = [each for each in found if each[0].facts.kind == kind]
            if of_kind:
                return _claim(board, sorted(_shared(of_kind), key=_by_weakest), measured)
    return None


def _shared(found: Sequence[Candidate]) -> list[Candidate]:
    """The models with many tasks, on the tasks that all of these have: a minimum of fewer tasks is no answer."""
    most = max(len(kept) for _, kept in found)
    pool = [each for each in found if len(each[1]) >= MANY * most]
    common = set.intersection(*({column.key for column, _, _ in kept} for _, kept in pool))
    if not common:
        pool = [each for each in found if len(each[1]) == most][:1]
        common = {column.key for column, _, _ in pool[0][1]}
    return [(row, tuple(each for each in kept if each[0].key in common)) for row, kept in pool]


def _kept(row: BoardRow, columns: Sequence[TaskColumn], measured: bool) -> tuple[Kept, ...]:
    """What a row keeps of each task, the weakest first."""
    found: list[Kept] = []
    for column in columns:
        for figure in row.figures.get(column.key, ()):
            if figure.retained is not None and _counts(row, figure, figure.retained, measured):
                found.append((column, figure, figure.retained))
                break
    return tuple(sorted(found, key=lambda each: _surely(each[2])))


def _by_weakest(found: Candidate) -> tuple[float, str]:
    row, kept = found
    return -_surely(kept[0][2]), row.facts.id


def _claim(board: Board, ranked: Sequence[Candidate], measured: bool) -> Claim:
    row, kept = ranked[0]
    least = kept[0][2].lower
    # Only an interval can say that two are not told apart.
    equals = [
        clipped(other.facts.display, NAME)
        for other, its in ranked[1:]
        if its[0][2].upper is not None and least is not None and its[0][2].upper >= least
    ]
    names = {each.facts.id: each.facts.display for each in board.rows}
    parent = kept[0][2].parent
    return Claim(
        row=row,
        parent=clipped(names.get(parent) or parent, NAME),
        kept=kept,
        measured=measured,
        equals=tuple(name for name in dict.fromkeys(equals) if name != row.facts.display),
    )


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
