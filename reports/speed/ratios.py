"""One model's speed over another's, a line a point, rule and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.metrics.speed_metrics import load_metrics
from reports.cells import count, interval, moment, number, size, text
from reports.speed.origin import who

COLUMNS = (
    ("Model", False),
    ("Against", False),
    ("Workload", False),
    ("Rule", False),
    ("Batches", True),
    ("Metric", False),
    ("Ratio", True),
    ("95 % interval", True),
    ("Trials", True),
    ("Validity", False),
    ("Weights", False),
    ("dtype", False),
    ("Who, when (UTC)", False),
)


@dataclass(frozen=True)
class RatioLine:
    """A ratio, as text; above 1 the first model is faster."""

    run: str
    model: str
    against: str
    workload: str
    rule: str
    batches: str
    metric: str
    ratio: str
    interval: str
    trials: str
    valid: bool
    verdict: str
    weights: str
    dtype: str
    finished: str
    finished_iso: str
    who: str


def ratio_lines(ratios: Sequence[Mapping[str, Any]]) -> tuple[RatioLine, ...]:
    """By models, workload, rule, batch and metric; those that are alike stay in their order."""
    return tuple(_line(row) for row in sorted(ratios, key=_order))


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    metrics = list(load_metrics())
    metric = text(row["metric"])
    return (
        *(text(row[column]) for column in ("model", "against", "workload", "mode")),
        row["batch"] or 0,
        text(row["point"]),
        metrics.index(metric) if metric in metrics else len(metrics),
    )


def _line(row: Mapping[str, Any]) -> RatioLine:
    metric, budget = text(row["metric"]), row["memory_budget"]
    defined = load_metrics().get(metric)
    valid = bool(row["valid"])
    return RatioLine(
        run=text(row["run_id"]),
        model=text(row["model"]),
        against=text(row["against"]),
        workload=f"{text(row['workload'])}, {text(row['point'])}",
        rule=text(row["mode"]) + (f" ({size(budget)})" if budget else ""),
        batches=f"{count(row['batch'])} : {count(row['against_batch'])}",
        metric=defined.display if defined else metric,
        ratio=number(row["ratio"]),
        interval=interval(row["lower"], row["upper"]),
        trials=f"{count(row['n'])} : {count(row['against_n'])}",
        valid=valid,
        verdict="valid" if valid else "invalid",
        weights=text(row["weights"]),
        dtype=text(row["dtype"]),
        finished=moment(row["finished_at"]),
        finished_iso=moment(row["finished_at"], "%Y-%m-%dT%H:%M:%SZ"),
        who=who(row),
    )
