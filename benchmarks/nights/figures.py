"""Nights counted: false alarms by family, losses and slow-downs found, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.nights import plan
from benchmarks.nights.alarms import Rule
from benchmarks.nights.jobs import LOSS_TASKS, LOSSES, Job
from benchmarks.nights.plan import BINARY, DISCORDANCES, GOLD, SPEED_NOISES, TASKS, TESTED
from benchmarks.nights.shares import share, share_in_series
from harness.stats.paired.binary import difference_p
from harness.stats.paired.power import paired_power

Parts = Mapping[tuple[str, float, tuple[str, ...]], Sequence[dict[str, Any]]]
"""(Kind, level, what) → the outcomes of its jobs, in order."""
MARGINS = (0.005, 0.01)
"""Of release, in the tables of losses."""
CONFIDENCE = 0.95
"""Of release, one-sided."""


def parts_of(found: Sequence[tuple[Job, dict[str, Any]]]) -> Parts:
    """Outcomes by what they are of."""
    parts: dict[tuple[str, float, tuple[str, ...]], list[dict[str, Any]]] = {}
    for job, outcome in sorted(found, key=lambda pair: pair[0].part):
        parts.setdefault((job.kind, job.level, job.what), []).append(outcome)
    return parts


def false_alarms(parts: Parts, rule: Rule) -> list[dict[str, Any]]:
    """A row for each discordance and noise of speed: nights without a loss on which any of the plan's tests alarms."""
    rows: list[dict[str, Any]] = []
    for discordance in DISCORDANCES:
        accuracy = parts["accuracy", discordance, ()]
        for noise in SPEED_NOISES:
            speed = joined(speed_of(parts, noise), "p")[:, : plan.NIGHTS_OF_A_BASELINE].min(axis=2)
            families = {
                "accuracy": joined(accuracy, "accuracy") <= rule.threshold("accuracy"),
                "gold": joined(accuracy, "gold") <= rule.threshold("gold"),
                "speed": speed <= rule.threshold("speed"),
                "release": joined(accuracy, "release") <= rule.threshold("release"),
            }
            alarms = np.logical_or.reduce(list(families.values()))
            rows.append({
                "discordance": discordance, "speed_noise": noise, **share_in_series(alarms),
                "by_family": {family: share_in_series(found) for family, found in families.items()},
            })  # fmt: skip
    return rows


def seen(parts: Parts, rule: Rule) -> list[dict[str, Any]]:
    """A row a discordance: what the nights were like, and alarms of accuracy by task and kind of night."""
    rows: list[dict[str, Any]] = []
    for discordance in DISCORDANCES:
        accuracy = parts["accuracy", discordance, ()]
        heavy, of, all_alarms = _summed(accuracy, "heavy_alarms")
        cells = joined(accuracy, "accuracy").size * plan.CELLS
        rows.append({
            "discordance": discordance,
            "seen": _mean(accuracy, "discordance"),
            "seen_heavy": _mean(accuracy, "discordance_heavy"),
            "alarms_by_task": dict(zip((t.name for t in TESTED), _summed(accuracy, "by_task").tolist(), strict=True)),
            "heavy_cells": {"alarms": int(heavy), "of": int(of)},
            "usual_cells": {"alarms": int(all_alarms - heavy), "of": int(cells - of)},
            "gold_without_margin": share_in_series(joined(accuracy, "gold_plain") <= rule.threshold("gold")),
        })  # fmt: skip
    return rows


def _summed(parts: Sequence[dict[str, Any]], name: str) -> Any:
    return np.sum([part[name] for part in parts], axis=0)


def _mean(parts: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    means = np.nanmean(np.stack([part[name] for part in parts]), axis=0)
    return {task.name: round(float(mean), 5) for task, mean in zip(BINARY, means, strict=True)}


def losses(parts: Parts, rule: Rule) -> list[dict[str, Any]]:
    """A row a task, discordance and loss: what each test finds on the first night."""
    return [
        _loss_row(parts["loss", discordance, (task, loss)][0], task, discordance, loss, rule)
        for task in LOSS_TASKS
        for discordance in DISCORDANCES
        for loss in LOSSES
    ]


def _loss_row(found: dict[str, Any], task: str, discordance: float, loss: str, rule: Rule) -> dict[str, Any]:
    lost, gained = found["lost"], found["gained"]
    (n,) = (each.documents for each in TASKS if each.name == task)
    nights = len(lost)
    detected, by_gold = found["p"] <= rule.threshold("accuracy"), found["gold_p"] <= rule.threshold("gold")
    true = 0.0 if loss == "none" else plan.LOSS
    breach_alpha = rule.threshold("release")
    return {
        "task": task, "documents": n, "discordance": discordance, "loss": loss, "nights": nights,
        "mean_difference": float((gained - lost).mean() / n), "changed": float((gained + lost).mean() / n),
        "detect": share(int(detected.sum()), nights),
        "gold": share(int(by_gold.sum()), nights),
        "either": share(int((detected | by_gold).sum()), nights),
        "exact": paired_power(n, discordance, true, rule.threshold("accuracy")),
        "release": [
            {
                "margin": margin,
                "passes": share(int((_release(lost, gained, n, margin, "greater") <= 1 - CONFIDENCE).sum()), nights),
                "breaches": share(int((_release(lost, gained, n, margin, "less") <= breach_alpha).sum()), nights),
            }
            for margin in MARGINS
        ],
    }  # fmt: skip


def _release(lost: Any, gained: Any, n: int, margin: float, alternative: Any) -> Any:
    return np.asarray(difference_p(lost, gained, n, -margin, alternative))


def slowdowns(parts: Parts, rule: Rule) -> list[dict[str, Any]]:
    """A row a noise and number of pairs: series in which a slow-down is found on the first night, and within two."""
    rows: list[dict[str, Any]] = []
    for noise, pairs in [(noise, pairs) for noise in SPEED_NOISES for pairs in plan.PAIR_COUNTS]:
        alarms = joined(speed_of(parts, noise, pairs), "p") <= rule.threshold("speed")
        clean, slow = alarms[:, : plan.NIGHTS_OF_A_BASELINE], alarms[:, plan.NIGHTS_OF_A_BASELINE :]
        rows.append({
            "speed_noise": noise, "pairs": pairs, "slowdown": plan.SLOWDOWN,
            "plan_nights_with_false_alarm": share_in_series(clean.any(axis=2)),
            "first_night": share(int(slow[:, 0].sum()), slow[:, 0].size),
            "two_nights": share(int(slow.any(axis=1).sum()), slow[:, 0].size),
        })  # fmt: skip
    return rows


def speed_of(parts: Parts, noise: float, pairs: int = plan.PAIRS) -> Sequence[dict[str, Any]]:
    """The nights of that noise and number of pairs."""
    return parts["speed", noise, (str(pairs),)]


def joined(parts: Sequence[dict[str, Any]], name: str) -> Any:
    """The series of all parts, one after the other."""
    return np.concatenate([part[name] for part in parts])


def plan_document(rule: Rule) -> dict[str, Any]:
    """What was simulated, as plain values."""
    return {
        "models": plan.MODELS, "gpus": plan.GPUS, "tasks": {task.name: task.documents for task in TASKS},
        "gold_tasks": [task.name for task in GOLD], "tests": plan.TESTS, "alpha": rule.alpha,
        "gold_margins": dict(zip((task.name for task in GOLD), rule.gold_margins, strict=True)),
        "margins": dict(zip((task.name for task in TESTED), rule.margins, strict=True)),
        "thresholds": {family: rule.threshold(family) for family in plan.TESTS},
        "heavy_share": plan.HEAVY_SHARE, "autocorrelation": plan.AUTOCORRELATION, "pairs": plan.PAIRS,
        "nights_of_a_baseline": plan.NIGHTS_OF_A_BASELINE,
    }  # fmt: skip
