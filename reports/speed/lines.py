"""Pairs, limits, speed-ups and evaluations as the text of their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.records.record import precision
from reports.board.model import Board, ColumnKey, Figure
from reports.cells import ABSENT, count, interval, number, size, text
from reports.speed.limits import Limit
from reports.speed.pairs import Measured, Pair


@dataclass(frozen=True)
class Cell:
    """A number, what it must be read with in small, and where it comes from."""

    value: str = ABSENT
    note: str = ""
    source: str = ""
    """measured, imported, contributed, published, limit; empty where nothing is known."""
    run: str = ""


@dataclass(frozen=True)
class PairLine:
    """A model in one way of running it, as text."""

    model: str
    display: str
    kind: str
    way: str
    rate: Cell
    energy: Cell
    scores: tuple[Cell, ...]


@dataclass(frozen=True)
class LimitLine:
    """What the data sheet allows a model, as text."""

    model: str
    display: str
    kind: str
    held: str
    weights: str
    fits: bool
    rate: str
    over_parent: str
    """Of the rate at batch 1: how many times the parent's."""
    bound_by: str
    timed: Cell
    percent: str
    largest: str
    largest_rate: str
    largest_over_parent: str
    """Of the rate at each one's largest batch."""


@dataclass(frozen=True)
class SpeedUpLine:
    """A model over another, as text."""

    model: str
    display: str
    against: str
    ratio: Cell
    how: str
    """Engine, limit, batches, workload."""


@dataclass(frozen=True)
class EvaluationLine:
    """What a model's evaluations took in one way, as text."""

    model: str
    way: str
    tasks: str
    scored: str
    """Prompt and answer tokens scored a second, each counted as often as it was asked."""
    generated: str
    """Tokens generated a second, the prompts' prefill included."""
    seconds: str


def column_title(key: ColumnKey) -> str:
    """A column's task with what tells it from others: `mmlu, 5-shot acc`."""
    told = " ".join(filter(None, ("" if key.shots is None else f"{key.shots}-shot", key.metric)))
    return f"{key.task}, {told}" if told else key.task


def pair_lines(pairs: Sequence[Pair], columns: Sequence[ColumnKey]) -> tuple[PairLine, ...]:
    """In the order of the pairs. A limit whose model has no score in these columns is left out: the table of limits has it."""
    shown = [pair for pair in pairs if pair.source != "limit" or any(key in pair.scores for key in columns)]
    return tuple(
        PairLine(
            model=pair.facts.id,
            display=pair.facts.display,
            kind=pair.facts.kind,
            way=pair.way,
            rate=_speed(pair, pair.rate),
            energy=_speed(pair, pair.energy) if pair.energy else Cell(),
            scores=tuple(_score(pair.scores.get(key)) for key in columns),
        )
        for pair in shown
    )


def limit_lines(limits: Sequence[Limit], timed: Sequence[Pair]) -> tuple[LimitLine, ...]:
    """The fastest first. `timed` are what was measured at batch 1 of the same lengths, beside its limit."""
    by_model = {limit.model: limit for limit in limits}
    best: dict[str, Pair] = {}
    for pair in timed:
        if pair.source != "limit" and (pair.facts.id not in best or pair.rate.value > best[pair.facts.id].rate.value):
            best[pair.facts.id] = pair
    ordered = sorted(limits, key=lambda limit: (not limit.fits, -limit.rate, limit.model))
    return tuple(_limit_line(limit, by_model, best.get(limit.model)) for limit in ordered)


def speedup_lines(board: Board, names: Sequence[str], rule: str) -> tuple[SpeedUpLine, ...]:
    """The board's speed-ups by that rule on hardware of these names, in the order of its rows."""
    return tuple(
        SpeedUpLine(
            model=row.facts.id,
            display=row.facts.display,
            against=up.against,
            ratio=Cell(f"{number(up.ratio)}×", interval(up.lower, up.upper), up.source, up.run_id or ""),
            how=up.detail,
        )
        for row in board.rows
        for up in row.speedups
        if up.rule == rule and up.hardware in names
    )


def evaluation_lines(rows: Sequence[Mapping[str, Any]]) -> tuple[EvaluationLine, ...]:
    """In the order of the rows."""
    return tuple(
        EvaluationLine(
            model=text(row["model"]),
            way=", ".join(filter(None, (text(row["backend"]), precision(text(row["dtype"]), row["compute_dtype"])))),
            tasks=count(row["tasks"]),
            scored=_over(row["asked"], row["scoring_s"]),
            generated=_over(row["generated"], row["generating_s"]),
            seconds=f"{(row['scoring_s'] or 0) + (row['generating_s'] or 0):,.1f}",
        )
        for row in rows
    )


def tokens_per_s(value: float) -> str:
    """A rate with three digits at least: 61.3, 812, 36,770."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _limit_line(limit: Limit, limits: Mapping[str, Limit], pair: Pair | None) -> LimitLine:
    parent = limits.get(limit.parent or "")
    largest = limit.largest_rate
    return LimitLine(
        model=limit.model,
        display=limit.display,
        kind=limit.kind,
        held=limit.held,
        weights=size(limit.weights),
        fits=limit.fits,
        rate=tokens_per_s(limit.rate),
        over_parent=_over_parent(limit.rate, parent, parent.rate if parent else None),
        bound_by=limit.bound_by,
        timed=_speed(pair, pair.rate) if pair else Cell(),
        percent=f"{100 * pair.rate.value / limit.rate:.1f} %" if pair else "",
        largest=count(limit.largest) if limit.fits else ABSENT,
        largest_rate=tokens_per_s(largest) if largest else ABSENT,
        largest_over_parent=_over_parent(largest or 0, parent, parent.largest_rate if parent else None),
    )


def _over_parent(rate: float, parent: Limit | None, parents: float | None) -> str:
    if parent is None:
        return ""
    return f"{rate / parents:.2f}×" if parent.fits and parents else "parent does not fit"


def _over(tokens: int | None, seconds: float | None) -> str:
    return tokens_per_s(tokens / seconds) if tokens and seconds else ABSENT


def _speed(pair: Pair, figure: Measured) -> Cell:
    value = number(figure.value) if pair.source != "limit" else tokens_per_s(figure.value)
    note = "at most" if pair.source == "limit" else interval(figure.lower, figure.upper)
    return Cell(value, note, pair.source, pair.run or "")


def _score(figure: Figure | None) -> Cell:
    if figure is None:
        return Cell()
    ends = interval(figure.lower, figure.upper)
    return Cell(
        number(figure.value), f"≈ {ends}" if ends and figure.approximate else ends, figure.source, figure.run_id or ""
    )
