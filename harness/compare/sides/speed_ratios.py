"""How fast B is beside A: ratios of trials that `minizoo bench A --against B` took in turn, as the store derives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.compare.items import Side
from harness.stats.paired.holm import holm
from harness.store.query import Reader

BETWEEN = """
SELECT * FROM speed_ratios WHERE (model = ? AND against = ?) OR (model = ? AND against = ?)
ORDER BY finished_at, run_id, task, metric, mode"""


@dataclass(frozen=True)
class SpeedRatio:
    """B's speed over A's at one point of a workload; above 1 B is faster, for times too."""

    workload: str
    point: str
    mode: str
    """`equal batch` or `equal memory`."""
    metric: str
    ratio: float
    lower: float | None
    upper: float | None
    """95 %."""
    p_value: float | None
    p_holm: float | None
    a_batch: int
    b_batch: int
    a_n: int
    b_n: int
    """Trials."""
    valid: bool
    weights: str
    device: str
    gpu: str | None
    dtype: str
    run_ids: tuple[str, str]
    """Of A and of B."""


def speed_ratios(a: Side, b: Side, results: Path, reader: Reader | None = None) -> list[SpeedRatio]:
    """The newest ratio of each point, rule and metric between two models of the results folder; either may have been the one
    that was named first. Where a side is a run of speed itself, only ratios of that run. `reader` as in `run_side`."""
    if not results.is_dir() or "lm-eval" in (a.kind, b.kind):
        return []
    rows = (reader or Reader(results)).rows(BETWEEN, [b.name, a.name, a.name, b.name])
    turned = [_turned(row, b.name) for row in rows]
    asked = [row for row in turned if _of_run(a, row["a_run"]) and _of_run(b, row["b_run"])]
    newest = {
        tuple(row[name] for name in ("device", "gpu", "workload", "point", "mode", "metric")): row for row in asked
    }
    return _adjusted(newest.values())


def _turned(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The row as B over A, whichever of them was measured against the other."""
    own, other = (
        (row["run_id"], row["batch"], row["n"]),
        (row["against_run_id"], row["against_batch"], row["against_n"]),
    )
    straight = row["model"] == name
    (b_run, b_batch, b_n), (a_run, a_batch, a_n) = (own, other) if straight else (other, own)
    ends = (row["lower"], row["upper"]) if straight else (_inverse(row["upper"]), _inverse(row["lower"]))
    return {
        **row,
        "ratio": row["ratio"] if straight else 1 / row["ratio"],
        "lower": ends[0], "upper": ends[1], "a_run": a_run, "b_run": b_run,
        "a_batch": a_batch, "b_batch": b_batch, "a_n": a_n, "b_n": b_n,
    }  # fmt: skip


def _inverse(value: float | None) -> float | None:
    return 1 / value if value else None


def _of_run(side: Side, run_id: str) -> bool:
    """Whether a ratio's run is one that the side means: of a side of speeds alone, its own runs."""
    return bool(side.results or side.failed) or not side.speed or run_id in side.run_ids


def _adjusted(rows: Iterable[Mapping[str, Any]]) -> list[SpeedRatio]:
    listed = list(rows)
    p_values = iter(holm([row["p_value"] for row in listed if row["p_value"] is not None]))
    return [
        SpeedRatio(
            **{
                name: row[name]
                for name in ("workload", "point", "mode", "metric", "ratio", "lower", "upper", "p_value")
            },
            **{
                name: row[name]
                for name in ("a_batch", "b_batch", "a_n", "b_n", "valid", "weights", "device", "gpu", "dtype")
            },
            p_holm=None if row["p_value"] is None else next(p_values),
            run_ids=(row["a_run"], row["b_run"]),
        )
        for row in listed
    ]
