"""What `minizoo power` shows: a table for each error rate, and in sentences what can never be found and what nights add."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from minizoo.output import Column, Output

if TYPE_CHECKING:
    from harness.gates.power.foresight import Foresight, Prospect, Question

ABSENT = "–"
NIGHTS = (
    "'nights': where the noise of both sides is drawn anew each night (sampled answers, a baseline that runs again with other "
    "numerics). Greedy answers of one build are the same every night: more nights then add nothing, only more documents do. "
    "With a baseline that stays, K nights count 2K/(K + 1) at most."
)


def show_power(output: Output, suite: str, question: Question, rows: Sequence[Foresight]) -> None:
    """A row a task and level, or the JSON document."""
    if output.as_json:
        output.document("power", document(suite, question, rows))
        return
    points = told_points(question.loss)
    levels = next(([p.level for p in row.prospects] for row in rows if row.prospects), [])
    for at, level in enumerate(levels):
        nights = f"{question.nights} nights" if question.nights > 1 else "one night"
        title = f"Suite {suite}: chance to find a loss of {points} in {nights}, at {level.alpha:.2g} one-sided ({level.told})"
        output.table(_columns(question), [_cells(row, at, question) for row in rows], title)
        output.text()
    for line in (*_too_small(rows, question), *_footnotes(rows, question)):
        output.text(line)


def document(suite: str, question: Question, rows: Sequence[Foresight]) -> dict[str, Any]:
    """All figures, with what they assume."""
    return {
        "suite": suite,
        "loss": question.loss,
        "discordant": list(question.rates),
        "measured": dict(question.measured),
        "power": question.power,
        "nights": question.nights,
        "nights_assume": "noise of both sides drawn anew each night",
        "tasks": [
            {
                **asdict(row.documents),
                "discordant": row.usual,
                "asked": row.asked,
                "levels": [_document(prospect) for prospect in row.prospects],
            }
            for row in rows
        ],
        "too_small": list(_too_small(rows, question)),
    }


def _document(prospect: Prospect) -> dict[str, Any]:
    return asdict(prospect) | {"level": prospect.level.told, "alpha": prospect.level.alpha} | {
        "paired": {f"{rate:g}": power for rate, power in prospect.paired.items()}
    }  # fmt: skip


def _columns(question: Question) -> list[Column]:
    return [
        Column("task"), Column("documents", True, 5), Column("of", True, 1),
        *(Column(f"paired, {100 * rate:g} %", True, 6) for rate in question.rates),
        *([Column("as measured", True, 6)] if question.measured else []),
        Column("unpaired", True, 3), Column("needs", True, 5), Column("--limit", True, 2), Column("nights", True, 4),
    ]  # fmt: skip


def _cells(row: Foresight, at: int, question: Question) -> list[str]:
    documents = row.documents
    counts = [documents.task, _count(documents.taken), _count(documents.total)]
    if not row.prospects:
        return counts + [ABSENT] * (len(_columns(question)) - len(counts))
    found = row.prospects[at]
    measured = [_measured(found.measured, row)] if question.measured else []
    return [
        *counts,
        *(f"{_least(row)}{_chance(power)}" for power in found.paired.values()),
        *measured,
        _chance(found.unpaired),
        _count(found.needs),
        _limit(found.limit, documents.leaves, documents.total or 0),
        _count(found.nights),
    ]  # fmt: skip


def _limit(limit: int | None, leaves: int, total: int) -> str:
    if limit is None:
        return "too few"
    return "all" if limit * leaves >= total else _count(limit)


def _measured(power: float | None, row: Foresight) -> str:
    return ABSENT if power is None else f"{_least(row)}{_chance(power)} ({100 * row.usual:.2g} %)"


def _least(row: Foresight) -> str:
    """Real values change by less than right and wrong, so the power is at least what it is for those."""
    return "≥ " if row.documents.real else ""


def _too_small(rows: Sequence[Foresight], question: Question) -> Iterator[str]:
    """A line a task that is too small whatever is run of it, and what it would show."""
    for row in rows:
        small = [prospect for prospect in row.prospects if prospect.limit is None]
        if not small:
            continue
        loss, n = told_points(question.loss), f"its {row.documents.total:,} documents"
        never = [prospect.level.alpha for prospect in small if prospect.never]
        if len(never) == len(row.prospects):
            said = f"{n} can never gate {loss}, even where nothing else changes"
        else:
            said = f"{n} are too few for {loss} at {' and '.join(f'{p.level.alpha:.2g}' for p in small)}"
        least = "; ".join(f"{_shown(prospect.least)} at {prospect.level.alpha:.2g}" for prospect in small)
        basis = f"{100 * question.power:g} % power, {100 * row.usual:.2g} % discordant{_one_answer(row)}"
        yield f"{row.documents.task}: {said}. All of them show a loss of {least} ({basis})."


def _one_answer(row: Foresight) -> str:
    """What is assumed of a task whose answers are drawn: the mean of many varies less."""
    return ", one answer a problem" if row.documents.sampled else ""


def _shown(least: float | None) -> str:
    return "nothing" if least is None else f"{100 * least:.1f} points or more"


def _footnotes(rows: Sequence[Foresight], question: Question) -> Iterator[str]:
    usual = "as measured, else at " if question.measured else "at "
    rate = question.rates[len(question.rates) // 2]
    yield (
        f"'needs': documents that find it with {100 * question.power:g} % {usual}{100 * rate:g} % discordant; '--limit': the "
        "same a leaf task. 'unpaired': against another run's documents, at 50 % right."
    )
    yield NIGHTS
    if any(row.documents.real for row in rows):
        real = ", ".join(row.documents.task for row in rows if row.documents.real)
        yield f"≥ real values or sampled answers, which change by less than a whole document: {real}."
    for row in rows:
        if row.documents.shared_unit:
            yield f"{row.documents.task}: several documents share one {row.documents.shared_unit}, so it finds somewhat less."
        if row.documents.total is None:
            yield f"{row.documents.task}: how many documents it has is not known ({row.documents.basis}); --data counts them."
        if not row.documents.unit_interval:
            yield f"{row.documents.task}: {row.documents.metric} has no points to lose; gate it by gold_margin, in nats."
    if idle := [row.documents.task for row in rows if not row.asked]:
        yield f"The policy asks no detection of: {', '.join(idle)}."


def told_points(loss: float) -> str:
    """`1 point`, `0.5 points`."""
    points = 100 * loss
    return f"{points:g} point{'' if round(points, 9) == 1 else 's'}"


def _count(number: int | None) -> str:
    return ABSENT if number is None else f"{number:,}"


def _chance(power: float) -> str:
    if 0 < power < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 < power < 1 else f"{100 * power:.0f} %"
