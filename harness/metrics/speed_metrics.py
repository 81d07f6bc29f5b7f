"""Speed metrics: defined once in metrics.yaml, derived from raw rows by SQL, here and in the results database alike."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.records.columns import arrow_schema
from harness.records.speed_record import Statistic
from harness.stats.percentiles import Percentile, percentile

HERE = Path(__file__).parent

TRIAL_COLUMNS: dict[str, str] = {
    "trial": "BIGINT",
    "phase": "VARCHAR",
    "cluster": "BIGINT",
    "request": "BIGINT",
    "input_tokens": "BIGINT",
    "wanted_tokens": "BIGINT",
    "submit_s": "DOUBLE",
    "start_s": "DOUBLE",
    "token_s": "DOUBLE[]",
    "energy_window": "BIGINT",
    "window_j": "DOUBLE",
}
"""Columns of trials.parquet. Times are seconds of one clock with an arbitrary zero: `submit_s` when the request was due,
`start_s` when the backend took it, `token_s` when each token was there. Requests of one `cluster` ran as one batch and
count as one sample. `window_j` is the energy of the whole `energy_window` that the trial lies in."""


class Metric(BaseModel):
    """A metric's one definition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    display: str
    formula: str
    unit: str
    higher_is_better: bool
    sample: str
    percentiles: tuple[int, ...]
    sql: str


@functools.cache
def load_metrics() -> Mapping[str, Metric]:
    """Every metric by name, in the order of the file."""
    from ruamel.yaml import YAML

    read: dict[str, Any] = YAML(typ="safe", pure=True).load((HERE / "speed_metrics.yaml").read_text("utf-8"))
    return {name: Metric.model_validate(fields) for name, fields in read.items()}


def create_views(connection: Any) -> None:
    """Create the base views, a view metric_<name> for each metric, and the table of their definitions.

    The connection has the tables trial_rows and speed_points.
    """
    connection.execute((HERE / "speed_views.sql").read_text("utf-8"))
    connection.execute(
        "CREATE TABLE speed_definitions (metric VARCHAR, formula VARCHAR, unit VARCHAR, higher_is_better BOOLEAN, "
        "sample VARCHAR)"
    )
    for name, metric in load_metrics().items():
        connection.execute(f"CREATE VIEW metric_{name} AS {metric.sql}")
        connection.execute(
            "INSERT INTO speed_definitions VALUES (?, ?, ?, ?, ?)",
            [name, metric.formula, metric.unit, metric.higher_is_better, metric.sample],
        )


@dataclass(frozen=True)
class PointTrials:
    """The raw rows of one point, see TRIAL_COLUMNS: as mappings, or in a Parquet file."""

    run_id: str
    task: str
    slo: Mapping[str, float]
    """Service-level objectives (ttft, tpot, e2e) in seconds, for goodput."""
    rows: Sequence[Mapping[str, Any]] | Path


def samples_of(rows: Sequence[Mapping[str, Any]], slo: Mapping[str, float]) -> dict[str, list[float]]:
    """Each metric's samples in rising order, from the rows of one point, by the very SQL of the results database."""
    return samples_of_points([PointTrials("", "", slo, rows)])["", ""]


def samples_of_points(points: Sequence[PointTrials]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """(run, task) → each metric's samples in rising order. Works in memory, whatever the size of the results."""
    import duckdb

    connection = duckdb.connect()
    try:
        listed = ", ".join(f"{name} {kind}" for name, kind in TRIAL_COLUMNS.items())
        connection.execute(f"CREATE TABLE trial_rows (run_id VARCHAR, task VARCHAR, {listed})")
        connection.execute(
            "CREATE TABLE speed_points (run_id VARCHAR, task VARCHAR, ttft_limit DOUBLE, tpot_limit DOUBLE, e2e_limit DOUBLE)"
        )
        for point in points:
            _load(connection, point)
        create_views(connection)
        found = {(point.run_id, point.task): {name: [] for name in load_metrics()} for point in points}
        for name in load_metrics():
            rows = connection.execute(f"SELECT run_id, task, value FROM metric_{name} ORDER BY value").fetchall()
            for run_id, task, value in rows:
                found[run_id, task][name].append(value)
        return found
    finally:
        connection.close()


def _load(connection: Any, point: PointTrials) -> None:
    import pyarrow as pa

    limits = [point.slo.get(name) for name in ("ttft", "tpot", "e2e")]
    connection.execute("INSERT INTO speed_points VALUES (?, ?, ?, ?, ?)", [point.run_id, point.task, *limits])
    names, key = ", ".join(TRIAL_COLUMNS), [point.run_id, point.task]
    if isinstance(point.rows, Path):
        connection.execute(f"INSERT INTO trial_rows SELECT ?, ?, {names} FROM read_parquet(?)", [*key, str(point.rows)])
    elif point.rows:
        table = pa.Table.from_pylist([dict(row) for row in point.rows], schema=trial_schema())
        connection.register("incoming", table)
        connection.execute(f"INSERT INTO trial_rows SELECT ?, ?, {names} FROM incoming", key)
        connection.unregister("incoming")


def statistics(samples: Mapping[str, Sequence[float]]) -> tuple[Statistic, ...]:
    """The percentiles of every metric that has samples; where even a median is refused, the mean stands beside."""
    found: list[Statistic] = []
    for name, metric in load_metrics().items():
        values = samples[name]
        for percent in metric.percentiles if values else ():
            found += _statistic(name, values, percent)
    return tuple(found)


def percentile_statistic(metric: str, values: Sequence[float], percent: int) -> Statistic:
    """A percentile of independent samples with its order-statistic interval, or refused for there are too few."""
    result, label = percentile(values, percent / 100), f"p{percent}"
    if isinstance(result, Percentile):
        return Statistic(
            metric=metric, statistic=label, value=result.value, lower=result.lower, upper=result.upper, n=len(values),
            confidence=result.confidence,
        )  # fmt: skip
    return Statistic(metric=metric, statistic=label, value=None, n=len(values), refused=str(result))


def mean_statistic(metric: str, values: Sequence[float]) -> Statistic:
    """The mean of samples, without an interval."""
    return Statistic(metric=metric, statistic="mean", value=sum(values) / len(values), n=len(values))


def trial_schema() -> Any:
    """The Arrow schema of trials.parquet."""
    return arrow_schema(TRIAL_COLUMNS)


def _statistic(name: str, values: Sequence[float], percent: int) -> list[Statistic]:
    stated = percentile_statistic(name, values, percent)
    if stated.refused and percent == 50:
        return [stated, mean_statistic(name, values)]
    return [stated]
