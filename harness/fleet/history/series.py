"""Series out of the results: what the view `series` says, put together by what must be alike, oldest first."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from harness.store.query import Reader

SQL = """
SELECT * FROM series WHERE ($1 IS NULL OR model = $1 OR label = $1) AND ($2 IS NULL OR task = $2)
  AND ($3 IS NULL OR metric = $3)
ORDER BY finished_at, run_id, night
"""
GOLD_SQL = """
SELECT run_id, doc_hash, occurrence, any_value(request_hash) AS request_hash, any_value(gold_logprob) AS gold
FROM sample_rows WHERE task = ? AND gold_logprob IS NOT NULL AND run_id IN (SELECT unnest(?))
GROUP BY run_id, doc_hash, occurrence
"""
CHANGING = ("accuracy",)
"""Kinds whose changes are the gate's to judge, document by document; they are shown and not tested here."""


class SeriesKey(NamedTuple):
    """What two figures must have alike to be of one series."""

    kind: str
    model: str
    task: str
    metric: str
    filter: str
    backend: str | None
    hardware: str
    machine: str | None
    """The GPU's UUID; of speeds on a CPU the host; None of figures that no machine's speed is in, where no UUID is known."""
    suite: str | None
    shots: int | None
    limit: int | None
    dtype: str | None
    compute_dtype: str | None
    pin: str | None
    """The canary's."""


@dataclass(frozen=True)
class Figure:
    """One figure of a series."""

    night: str | None
    run_id: str | None
    finished_at: datetime
    value: float
    lower: float | None
    upper: float | None
    n: int | None
    at: int | None
    """Where on the axis a checkpoint stands."""
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Series:
    """A figure a night or run, oldest first."""

    key: SeriesKey
    figures: tuple[Figure, ...]
    axis: str | None = None
    """`steps` or `tokens` of a series of checkpoints."""


def read_series(
    reader: Reader, model: str | None = None, task: str | None = None, metric: str | None = None
) -> list[Series]:
    """Every series of that model (or label of checkpoints), task and metric, in the order of their keys; None: of all."""
    found: dict[SeriesKey, list[Figure]] = {}
    axes: dict[SeriesKey, str | None] = {}
    for row in reader.rows(SQL, [model, task, metric]):
        key = _key(row)
        found.setdefault(key, []).append(_figure(row))
        axes[key] = row["axis"]
    return [Series(key, tuple(found[key]), axes[key]) for key in sorted(found, key=lambda key: tuple(map(str, key)))]


def gold_differences(reader: Reader, series: Series) -> dict[str, tuple[float, int]]:
    """Run → the mean change of the gold log-probability from the run before it, in nats, and over how many documents.

    Paired by document where both have its samples, and requests were the same; a run is missing where none are in common.
    """
    runs = [figure.run_id for figure in series.figures if figure.run_id]
    documents: dict[str, dict[tuple[str, int, str], float]] = {run: {} for run in runs}
    for row in reader.rows(GOLD_SQL, [series.key.task, runs]):
        if math.isfinite(row["gold"]):
            documents[row["run_id"]][row["doc_hash"], row["occurrence"], row["request_hash"]] = row["gold"]
    told: dict[str, tuple[float, int]] = {}
    for before, after in pairwise(runs):
        common = documents[before].keys() & documents[after].keys()
        if common:
            changes = [documents[after][document] - documents[before][document] for document in sorted(common)]
            told[after] = (math.fsum(changes) / len(changes), len(changes))
    return told


def _key(row: Mapping[str, Any]) -> SeriesKey:
    speeds = row["kind"] in ("ratio", "canary")
    return SeriesKey(
        kind=row["kind"], model=row["label"] or row["model"], task=row["task"], metric=row["metric"],
        filter=row["filter"], backend=row["backend"], hardware=row["gpu"] or row["processor"] or row["device"],
        machine=row["gpu_uuid"] or (row["host"] if speeds else None), suite=row["suite"], shots=row["shots"],
        limit=row["limit"], dtype=row["dtype"], compute_dtype=row["compute_dtype"], pin=row["pin"],
    )  # fmt: skip


def _figure(row: Mapping[str, Any]) -> Figure:
    told = {"driver": row["driver"], "weights": row["weights_digest"]}
    versions: dict[str, str] = json.loads(row["versions"] or "{}")
    return Figure(
        night=row["night"], run_id=row["run_id"], finished_at=row["finished_at"], value=row["value"],
        lower=row["lower"], upper=row["upper"], n=row["n"], at=row["at"],
        versions=versions | {name: text for name, text in told.items() if text},
    )  # fmt: skip


def hardware_of(key: SeriesKey) -> str:
    """The hardware, with which one of its kind where that is known."""
    return f"{key.hardware} ({key.machine})" if key.machine else key.hardware


def values_to_test(reader: Reader, series: Series) -> Sequence[float] | None:
    """What change points are looked for in, one number a figure; None where the gate judges the figures.

    Of speeds the logarithm. Of gold log-probabilities the first run's mean and from there the paired changes added up, so that
    other documents move nothing; where two runs have none in common, the means' own difference.
    """
    if series.key.kind in CHANGING:
        return None
    if series.key.kind != "gold_logprob":
        return [math.log(figure.value) for figure in series.figures]
    changes = gold_differences(reader, series)
    values: list[float] = []
    for before, figure in zip((None, *series.figures), series.figures, strict=False):
        if before is None:
            values.append(figure.value)
            continue
        change, _ = changes.get(figure.run_id or "", (figure.value - before.value, 0))
        values.append(values[-1] + change)
    return values
