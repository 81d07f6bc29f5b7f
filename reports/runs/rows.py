"""What the store says of runs, a few at a time: ten thousand of them never stand in memory together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.store.query import Reader

Row = Mapping[str, Any]
TOGETHER = 50

STATES = """
SELECT r.run_id, any_value(r.model) AS model,
       md5(string_agg(concat_ws('|', r.task, r.model, md5(r.record)), ',' ORDER BY r.task)) AS records,
       any_value(d.digest) AS derived, any_value(s.tasks) AS sampled
FROM records r
     LEFT JOIN (
       SELECT run_id, md5(string_agg(told, ',' ORDER BY told)) AS digest FROM (
         SELECT run_id, v::VARCHAR AS told FROM verdicts v
         UNION ALL SELECT run_id, v::VARCHAR FROM (SELECT DISTINCT run_id, rule FROM metrics) v
         UNION ALL SELECT run_id, v::VARCHAR FROM speed_ratios v
       ) GROUP BY run_id
     ) d USING (run_id)
     LEFT JOIN (
       SELECT run_id, list_sort(list(DISTINCT task)) AS tasks FROM sample_rows GROUP BY run_id
     ) s USING (run_id)
GROUP BY run_id ORDER BY run_id
"""
"""A row a run: digests of all that its page shows, and its tasks with samples."""
LISTED = """
SELECT run_id, model, suite, backend, device, gpu, processor, dtype, compute_dtype, finished_at, tasks, failed, source,
       contributed_by, unverified
FROM runs ORDER BY finished_at DESC, run_id DESC LIMIT ? OFFSET ?
"""
RUNS = "SELECT * FROM runs WHERE run_id IN (SELECT unnest(?))"
RECORDS = """
SELECT run_id, task, status, reason, code, suite, shots, "limit", truncated, isolation, wall_s, requests, reused, source,
       record
FROM records WHERE run_id IN (SELECT unnest(?)) ORDER BY run_id, started_at, task
"""
SCORES = """
SELECT run_id, task, metric, filter, value, lower, upper, n, total, chance, higher_is_better, fewshot_draws, fewshot_sd
FROM metrics WHERE run_id IN (SELECT unnest(?))
"""
VERDICTS = """
SELECT run_id, task, metric, filter, published, printed, origin, verdict, reason, difference_lower, difference_upper
FROM verdicts WHERE run_id IN (SELECT unnest(?)) ORDER BY ALL
"""
SPEED = """
SELECT run_id, task, metric, statistic, value, lower, upper, n, unit, refused
FROM speed WHERE run_id IN (SELECT unnest(?))
"""
POINTS = """
SELECT run_id, task, workload, point, input_tokens, output_tokens, batch, rate, weights, valid, reasons, notes
FROM speed_points WHERE run_id IN (SELECT unnest(?))
"""
RATIOS = """
SELECT run_id, task, against, against_run_id, mode, batch, against_batch, metric, ratio, lower, upper, valid
FROM speed_ratios WHERE run_id IN (SELECT unnest(?)) ORDER BY ALL
"""
BESIDE = "SELECT * FROM scoring WHERE run_id IN (SELECT unnest(?))"


@dataclass(frozen=True)
class RunState:
    """A run, and what its page depends on."""

    run_id: str
    model: str
    digest: str
    sampled: tuple[str, ...]
    """Its tasks of which there are samples."""


@dataclass
class RunRows:
    """All rows of one run."""

    run: Row
    records: list[Row] = field(default_factory=list[Row])
    """In the order in which they were begun."""
    scores: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    """By task, as all that follow."""
    verdicts: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    speed: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    points: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    ratios: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    beside: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))


def states_of(reader: Reader) -> list[RunState]:
    """Every run of the results, by id."""
    return [
        RunState(row["run_id"], row["model"], f"{row['records']}{row['derived'] or ''}", tuple(row["sampled"] or ()))
        for row in reader.rows(STATES)
    ]


def listed(reader: Reader, page: int, size: int) -> list[dict[str, Any]]:
    """Runs of one page of the list, the newest first; pages are counted from 0."""
    return reader.rows(LISTED, [size, page * size])


def rows_of(reader: Reader, run_ids: Sequence[str]) -> Iterator[RunRows]:
    """Every row of these runs, a run after the other in the order given; those that the results do not have are left out."""
    for begin in range(0, len(run_ids), TOGETHER):
        wanted = list(run_ids[begin : begin + TOGETHER])
        found = {row["run_id"]: RunRows(row) for row in reader.rows(RUNS, [wanted])}
        for row in reader.rows(RECORDS, [wanted]):
            found[row["run_id"]].records.append(row)
        for sql, name in (
            (SCORES, "scores"), (VERDICTS, "verdicts"), (SPEED, "speed"), (POINTS, "points"), (RATIOS, "ratios"),
            (BESIDE, "beside"),
        ):  # fmt: skip
            for row in reader.rows(sql, [wanted]):
                getattr(found[row["run_id"]], name)[row["task"]].append(row)
        yield from (found[run_id] for run_id in wanted if run_id in found)
