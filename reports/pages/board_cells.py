"""The board's rows as the text of their cells: every number written, every link made, every note numbered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reports.board.model import BoardRow, ColumnKey, Figure, ModelFacts, Share, SpeedUp, TaskColumn
from reports.cells import count, interval, number, size

MOST_NOTES = 99
LONGEST_NOTE = 300
LONGEST_NAME = 80


@dataclass(frozen=True)
class Ways:
    """Where links of a cell lead; each gives an empty text where there is no such page."""

    model: Callable[[str], str]
    run: Callable[[str], str]
    comparison: Callable[[str, str], str]
    speed: Callable[[str], str]


@dataclass
class Notes:
    """Sentences that figures must be read with, each under its number."""

    numbers: dict[str, int] = field(default_factory=dict[str, int])
    left_out: bool = False

    def number(self, words: str) -> int | None:
        """The number of a note, a new one for new words; None where the page has too many."""
        told = clipped(words, LONGEST_NOTE)
        if told not in self.numbers and len(self.numbers) >= MOST_NOTES:
            self.left_out = True
            return None
        return self.numbers.setdefault(told, len(self.numbers) + 1)


@dataclass(frozen=True)
class ShareText:
    """How much of the parent is kept, as text."""

    value: str
    interval: str
    raw: str
    """child/parent without chance."""
    words: str
    """How it was found, and the raw ratio."""
    key: float | None
    href: str


@dataclass(frozen=True)
class FigureText:
    """A figure as text, and what it is sorted by: the end of its interval that is worse, else its value."""

    source: str
    value: str
    interval: str
    approximate: bool
    rank: str
    href: str
    key: float | None
    exact: float | None
    part: str
    verdict: str
    selected_on: bool
    conflicts: int
    notes: tuple[int, ...]
    kept: ShareText | None


@dataclass(frozen=True)
class SpeedText:
    """A speed-up as text."""

    ratio: str
    interval: str
    words: str
    source: str
    hardware: str
    href: str
    key: float
    detail: str


@dataclass(frozen=True)
class RowText:
    """A row of the table."""

    facts: ModelFacts
    name: str
    href: str
    way: str
    hardware: str
    backend: str
    dtype: str
    parameters: str
    saved: str
    tokens: str
    tokens_saved: str
    memory: str
    context: str
    licence: str
    commercial: str
    speedups: tuple[SpeedText, ...]
    cells: tuple[tuple[FigureText, ...], ...]


def row_text(row: BoardRow, columns: Sequence[TaskColumn], ways: Ways, notes: Notes) -> RowText:
    """Write one row: its cells in the order of the columns."""
    facts = row.facts
    return RowText(
        facts=facts,
        name=clipped(facts.display or facts.id, LONGEST_NAME),
        href=ways.model(facts.id),
        way=" · ".join(clipped(part, 40) for part in (row.backend, row.dtype, row.hardware) if part),
        hardware=clipped(row.hardware, LONGEST_NAME),
        backend=clipped(row.backend, LONGEST_NAME),
        dtype=clipped(row.dtype, LONGEST_NAME),
        parameters=amount(facts.parameters),
        saved=_saved(facts.parameters, facts.parent_parameters),
        tokens=amount(facts.distillation_tokens),
        tokens_saved=_saved(facts.distillation_tokens, facts.parent_tokens),
        memory="" if facts.weight_bytes is None else size(facts.weight_bytes),
        context="" if facts.context is None else count(facts.context),
        licence=clipped(facts.licence or "", 60),
        commercial={True: "commercial use", False: "no commercial use", None: "commercial use unknown"}[
            facts.commercial
        ],
        speedups=tuple(_speed_text(speedup, ways) for speedup in row.speedups),
        cells=tuple(_cell(row, column, ways, notes) for column in columns),
    )


def _cell(row: BoardRow, column: TaskColumn, ways: Ways, notes: Notes) -> tuple[FigureText, ...]:
    figures = row.figures.get(column.key, ())
    return tuple(_figure_text(row.facts.id, figure, column, ways, notes) for figure in figures)


def _figure_text(model: str, figure: Figure, column: TaskColumn, ways: Ways, notes: Notes) -> FigureText:
    part = figure.n is not None and figure.total is not None and figure.n < figure.total
    said = [note for note in figure.notes if not (part and note.startswith(f"{count(figure.n)} of "))]
    return FigureText(
        source=figure.source,
        value=number(figure.value),
        interval=interval(figure.lower, figure.upper),
        approximate=figure.approximate,
        rank=places(figure.rank, figure.tied),
        href=ways.run(figure.run_id) if figure.run_id else ways.model(model),
        key=worse_end(figure, column.higher_is_better),
        exact=finite(figure.value),
        part=f"{count(figure.n)} of {count(figure.total)}" if part else "",
        verdict=figure.verdict,
        selected_on=figure.selected_on,
        conflicts=figure.conflicts,
        notes=tuple(at for note in said if (at := notes.number(note)) is not None),
        kept=_share_text(model, figure.retained, ways),
    )


def _share_text(model: str, share: Share | None, ways: Ways) -> ShareText | None:
    if share is None or finite(share.value) is None:  # the parent is no better than guessing
        return None
    how = "same documents of both" if share.paired else f"{share.source} figures of both"
    raw = "" if finite(share.raw) is None else percent(share.raw)
    between = percent_interval(share.lower, share.upper)
    return ShareText(
        value=percent(share.value),
        interval=between,
        words=f"{how}{'; raw ' if raw else ''}{raw}",
        raw=raw,
        key=first_finite(share.lower, share.value),
        href=ways.comparison(share.parent, model),
    )


def _speed_text(speedup: SpeedUp, ways: Ways) -> SpeedText:
    ends = (speedup.lower, speedup.upper)
    return SpeedText(
        ratio=times(speedup.ratio),
        interval="" if None in ends else f"{times(speedup.lower)[:-1]}–{times(speedup.upper)[:-1]}",
        words="as published" if speedup.rule == "published" else speedup.rule,
        source=speedup.source,
        hardware=clipped(speedup.hardware, 60),
        href=ways.run(speedup.run_id) if speedup.run_id else ways.speed(speedup.hardware),
        key=first_finite(speedup.lower, speedup.ratio) or 0.0,
        detail=clipped(f"against {speedup.against}{'; ' if speedup.detail else ''}{speedup.detail}", LONGEST_NOTE),
    )


def worse_end(figure: Figure, higher_is_better: bool | None) -> float | None:
    """What a figure is sorted by: a score that is good by luck alone comes later."""
    return first_finite(figure.upper if higher_is_better is False else figure.lower, figure.value)


def places(rank: int | None, tied: int) -> str:
    """The places that a tie class takes: `3`, or `3–5`."""
    if rank is None:
        return ""
    return str(rank) if tied < 2 else f"{rank}–{rank + tied - 1}"


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; `–` where there is none."""
    return "–" if finite(share) is None else f"{_tenths(share)}\u00a0%"


def percent_interval(lower: float | None, upper: float | None) -> str:
    """Both ends of an interval of shares, in per cent; empty where one is missing."""
    if finite(lower) is None or finite(upper) is None:
        return ""
    return f"{_tenths(lower)}{' to ' if (lower or 0.0) < 0 else '–'}{_tenths(upper)}"


def _tenths(share: float | None) -> str:
    return f"{100 * (share or 0.0):.1f}".replace("-0.0", "0.0").replace("-", "−")


def times(ratio: float | None) -> str:
    """A ratio with three digits: `1.83×`."""
    return "–×" if finite(ratio) is None else f"{ratio:#.3g}×".replace(".×", "×")


def amount(value: int | None) -> str:
    """A count in three digits with its unit: `8.41B`, `3.00M`; empty for none."""
    if value is None:
        return ""
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}" if value < 1000 * unit else f"{value / unit:,.0f}{name}"
    return str(value)


def clipped(words: str, most: int) -> str:
    """The words, cut with an ellipsis where there are too many."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def finite(value: float | None) -> float | None:
    """The value if it is a number that can be drawn and sorted."""
    return value if value is not None and math.isfinite(value) else None


def first_finite(*values: float | None) -> float | None:
    """The first that is a number."""
    return next((value for value in values if finite(value) is not None), None)


def distinct(values: Iterable[str]) -> list[str]:
    """Each once, in order; what is empty left out."""
    return sorted({value for value in values if value})


def options(rows: Sequence[RowText]) -> Mapping[str, Sequence[str]]:
    """What the filters offer, by name."""
    return {
        "family": distinct(row.facts.family for row in rows),
        "hardware": distinct([*(row.hardware for row in rows), *(s.hardware for row in rows for s in row.speedups)]),
        "backend": distinct(row.backend for row in rows),
        "dtype": distinct(row.dtype for row in rows),
        "kind": list(dict.fromkeys(row.facts.kind for row in rows)),
    }


def column_id(key: ColumnKey) -> str:
    """The name of a column in an address."""
    return clipped("/".join([key.task, key.metric, key.filter, "" if key.shots is None else str(key.shots)]), 160)


def _saved(child: int | None, parent: int | None) -> str:
    """What the model does without, as a share of its parent's: `−47 %`."""
    if not child or not parent or child >= parent:
        return ""
    share = 100 * (1 - child / parent)
    return f"−{f'{share:.0f}' if share < 99 else f'{share:.3g}'}\u00a0%"
