"""Three sides to rows: what pruning cost on each task, and which share of it distillation won back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compare.comparison import Asked, Comparison, compare_sides
from harness.compare.conditions import other_conditions
from harness.compare.evidence import Evidence
from harness.compare.items import ScoreKey, Side
from harness.compare.primary import keys_of_task, primary_key
from harness.compare.task import TaskComparison
from harness.compare.tested import tested
from harness.records.trained_on import NOTE, was_trained_on
from harness.recovery.row import ROLES, Change, GoldRecovery, RecoveryRow, Role, Status
from harness.recovery.standing import Standing, is_above_chance, standing
from harness.recovery.three import Three, three_of
from harness.stats import constants
from harness.stats.paired.real import mean_interval, mean_p, paired_mean
from harness.stats.paired.recovered import recovered

NAMED = re.compile(r"\b[AB]\b")
"""A sentence of `compare` that names its sides."""


@dataclass(frozen=True)
class Sides:
    """The results of the three."""

    parent: Side
    pruned: Side
    distilled: Side

    def of(self) -> dict[Role, Side]:
        """By role."""
        return {"parent": self.parent, "pruned": self.pruned, "distilled": self.distilled}


def recovery_rows(sides: Sides) -> list[RecoveryRow]:
    """A row a metric of every task that all three have, a group for its tasks.

    Paired as `compare` pairs: by task, document and occurrence; a task whose requests differ is refused with the reason.
    """
    asked = Asked(every_metric=True)
    cut, back = (_by_key(compare_sides(sides.parent, side, asked)) for side in (sides.pruned, sides.distilled))
    return [_row(sides, key, cut[key], back[key]) for key in cut if key in back]


def missing_tasks(sides: Sides) -> dict[str, tuple[Role, ...]]:
    """Task → who has no result of it, of tasks that another has; a task that a group stands for is not named."""
    by_role = {role: {key.task for key in side.results} for role, side in sides.of().items()}
    members = {task for side in sides.of().values() for each in side.results.values() for task in each.record.members}
    tasks = dict.fromkeys(task for role in ROLES for task in sorted(by_role[role] - members))
    found: dict[str, tuple[Role, ...]] = {}
    for task in tasks:
        if roles := tuple[Role, ...](role for role in ROLES if task not in by_role[role]):
            found[task] = roles
    return found


def _by_key(compared: Comparison) -> dict[ScoreKey, TaskComparison]:
    return {row.key: row for row in compared.rows}


def _row(sides: Sides, key: ScoreKey, cut: TaskComparison, back: TaskComparison) -> RecoveryRow:
    primary = _is_primary(sides, key)
    trained = tuple[Role, ...](role for role, side in sides.of().items() if _trained(side, key))
    better = cut.higher_is_better if cut.higher_is_better is not None else back.higher_is_better
    if refused := _refusal(sides, key, cut, back):
        return RecoveryRow(key, primary, "refused", refused, better, trained_on=trained)
    three = three_of(cut.evidence, back.evidence) if cut.evidence and back.evidence else None
    if three is None:
        return RecoveryRow(key, primary, "refused", "the three have no document in common", better, trained_on=trained)
    sign = -1 if better is False and not three.loss.way.likelihood else 1
    chance = cut.chance if cut.chance is not None else back.chance
    told = _standings(three, chance, sign)
    loss, gain = _change(three.loss, better, sign), _change(three.gain, better, sign)
    status, why = _status(three, better, told[0], chance, sign, loss)
    share = None
    if status == "recovered":
        share = _share(three, sign)
        if share is None:
            status, why = "not resolved", "the loss shows, but any share of it could be won back by these documents"
    return RecoveryRow(
        key, primary, status, why, better, chance, len(three.loss), _units(three.loss), *told, loss, gain,
        share, _gold(three, status), trained, _notes(sides, three, cut, back),
    )  # fmt: skip


def _units(evidence: Evidence) -> int:
    """Independent units of the documents."""
    return paired_mean(evidence.a, evidence.clusters, None if evidence.is_even else evidence.weights).units


def _is_primary(sides: Sides, key: ScoreKey) -> bool:
    for side in (sides.distilled, sides.parent):
        if key in side.results:
            return primary_key(side.results[key].record, keys_of_task(side, key.task)) == key
    return False


def _trained(side: Side, key: ScoreKey) -> bool:
    return key in side.results and was_trained_on(side.results[key].record)


def _refusal(sides: Sides, key: ScoreKey, cut: TaskComparison, back: TaskComparison) -> str | None:
    """Why the three must not be set against each other, with who A and B of the reason are."""
    for row, other in ((cut, sides.pruned), (back, sides.distilled)):
        if row.refused:
            return f"A is {sides.parent.name}, B is {other.name}: {row.refused}"
    records = [side.results[key].record for side in (sides.pruned, sides.distilled)]
    return other_conditions(records[0], records[1])


def _standings(three: Three, chance: float | None, sign: int) -> tuple[Standing, Standing, Standing]:
    columns = (three.loss.a, three.loss.b, three.gain.a)
    parent, pruned, distilled = (standing(values, three.loss, chance, sign) for values in columns)
    return parent, pruned, distilled


def _change(evidence: Evidence, better: bool | None, sign: int) -> Change:
    """How much better A is than B, by the interval and the test of `compare`; of log-likelihoods in nats a unit."""
    found = tested(evidence, better)
    if evidence.way.likelihood:
        mean = paired_mean(evidence.a - evidence.b, evidence.clusters, None if evidence.is_even else evidence.weights)
        lower, upper = mean_interval(mean, constants.CONFIDENCE)
        return Change(mean.value, lower, upper, found.p_value)
    if found.lower is None or found.upper is None:
        return Change(-sign * found.difference, None, None, found.p_value)
    lower, upper = sorted((-sign * found.lower, -sign * found.upper))
    return Change(-sign * found.difference, lower, upper, found.p_value)


def _status(
    three: Three, better: bool | None, parent: Standing, chance: float | None, sign: int, loss: Change
) -> tuple[Status, str]:
    if better is None and not three.loss.way.likelihood:
        return "refused", "nobody says whether more of this metric is better"
    if chance is not None and parent.above is not None and not is_above_chance(parent, chance, sign):
        return "parent at chance", "the parent's own score is not told from chance, so there is nothing to win back"
    if loss.value <= 0 or loss.p_value >= 1 - constants.CONFIDENCE:
        gained = loss.value < 0 and loss.p_value < 1 - constants.CONFIDENCE
        return "nothing lost", "the pruned model is better" if gained else "no loss shows on these documents"
    return "recovered", ""


def _share(three: Three, sign: int) -> Any:
    on = three.loss
    return recovered(
        sign * on.a, sign * on.b, sign * three.gain.a, on.clusters, None if on.is_even else on.weights,
        constants.CONFIDENCE, three.in_unit_interval,
    )  # fmt: skip


def _gold(three: Three, status: Status) -> GoldRecovery | None:
    """None where fewer than two documents have the right answer's log-probability of all three."""
    there = np.isfinite(three.loss.gold_a) & np.isfinite(three.loss.gold_b) & np.isfinite(three.gain.gold_a)
    if there.sum() < 2:
        return None
    loss, gain = three.loss.where(there), three.gain.where(there)
    weights = None if loss.is_even else loss.weights
    columns = (loss.gold_a, loss.gold_b, gain.gold_a)
    parent, pruned, distilled = (math.fsum(values * loss.weights) for values in columns)
    share = None
    if status not in ("parent at chance", "refused"):
        lost = paired_mean(loss.gold_a - loss.gold_b, loss.clusters, weights)
        status = "nothing lost"
        if lost.value > 0 and mean_p(lost) < 1 - constants.CONFIDENCE:
            share = recovered(*columns, loss.clusters, weights, constants.CONFIDENCE)
            status = "recovered" if share else "not resolved"
    return GoldRecovery(len(loss), parent, pruned, distilled, status, share)


def _notes(sides: Sides, three: Three, cut: TaskComparison, back: TaskComparison) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_told(sides, three, cut, back)))


def _told(sides: Sides, three: Three, cut: TaskComparison, back: TaskComparison) -> Iterator[str]:
    """What `compare` says of the pairs, with who A and B are where it names them; what was trained on has a mark of its own."""
    for row, other in ((cut, sides.pruned), (back, sides.distilled)):
        for note in row.notes:
            if "in common" not in note and NOTE not in note:
                yield f"{note} (A is {sides.parent.name}, B is {other.name})" if NAMED.search(note) else note
    if three.left_out or cut.n > len(three.loss) or any("in common" in note for note in (*cut.notes, *back.notes)):
        yield f"{len(three.loss):,} documents that all three have"
