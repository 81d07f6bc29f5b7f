"""What the store says of speed on one piece of hardware: its newest rows, never more than that page needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from reports.speed.section import SpeedRows

HERE = "coalesce(nullif(r.gpu, ''), nullif(r.processor, ''), nullif(r.device, ''), '') IN (SELECT unnest(?))"
"""Of a record `r`: made on hardware of these names, as `reports.speed.hardware.hardware_of` names it."""
CIRCUMSTANCE = (
    "r.model, r.backend, r.device, r.gpu, r.processor, r.dtype, r.compute_dtype, r.source, r.contributed_by, "
    "p.weights, p.workload, p.point"
)
NEWEST = f"""
SELECT run_id, task FROM (
  SELECT r.run_id, r.task, r.status = 'ok' AND p.valid AS good,
         row_number() OVER (PARTITION BY {CIRCUMSTANCE}, r.status = 'ok' AND p.valid
                            ORDER BY r.finished_at DESC, r.run_id DESC, r.task DESC) AS age,
         bool_or(r.status = 'ok' AND p.valid) OVER (PARTITION BY {CIRCUMSTANCE}) AS has_good
  FROM speed_points p JOIN records r USING (run_id, task) WHERE {HERE}
) WHERE age = 1 AND (good OR NOT has_good)
"""
"""The newest valid point of each circumstance; the newest of all where none is valid: a failure replaces no good one."""

POINTS = f"""
SELECT r.run_id, r.task, r.finished_at, r.model, r.backend, r.device, r.gpu, r.processor, r.dtype, r.compute_dtype,
       r.status, r.reason, r.source, r.contributed_by,
       coalesce(json_extract_string(r.record, '$.speed.machine.capability'),
                max(json_extract_string(r.record, '$.speed.machine.capability')) OVER (PARTITION BY r.gpu)) AS capability,
       p.workload, p.point, p.input_tokens, p.output_tokens, p.batch, p.rate, p.weights, p.valid, p.reasons, p.note_codes,
       p.peak_allocator, p.peak_device, p.peak_resident, l.percent AS roofline_percent, l.bound_by
FROM ({NEWEST}) JOIN records r USING (run_id, task) JOIN speed_points p USING (run_id, task)
     LEFT JOIN (SELECT run_id, task, max(percent) AS percent, any_value(bound_by) AS bound_by FROM speed_limits
                WHERE step = 'decode' AND against = 'data sheet' GROUP BY run_id, task) l USING (run_id, task)
"""
"""A row a point, failed ones too, which the view `speed` leaves out as they have no figures. A point that ended before the
machine was asked has the compute capability of the others on its GPU."""
FIGURES = f"""
SELECT s.run_id, s.task, s.metric, s.statistic, s.value, s.lower, s.upper, s.n
FROM ({NEWEST}) JOIN speed_statistics s USING (run_id, task)
WHERE s.metric IN ('output_rate', 'itl', 'ttft', 'joules_per_token')
  AND s.statistic IN ('p50', 'mean')
"""
RATIOS = f"""
SELECT v.*, r.processor FROM speed_ratios v JOIN records r USING (run_id, task) WHERE {HERE}
QUALIFY row_number() OVER (
  PARTITION BY v.model, v.against, r.backend, r.device, r.gpu, r.processor, r.dtype, v.weights, v.workload, v.point, v.mode,
               v.metric, v.memory_budget, v.valid, r.source, r.contributed_by
  ORDER BY r.finished_at DESC, r.run_id DESC, r.task DESC) = 1
"""
SCORING = f"""
SELECT v.*, r.processor, r.status, r.reason FROM scoring v JOIN records r USING (run_id, task) WHERE {HERE}
QUALIFY row_number() OVER (
  PARTITION BY r.model, r.backend, r.device, r.gpu, r.processor, r.dtype, v.weights, v.reference, v.task, v.shots, r.source,
               r.contributed_by
  ORDER BY r.finished_at DESC, r.run_id DESC) = 1
UNION ALL BY NAME
SELECT run_id, task, finished_at, model, backend, device, gpu, dtype, shots, source, contributed_by, processor, status, reason
FROM records r WHERE status <> 'ok' AND suite = 'scoring' AND starts_with(task, 'scoring.') AND {HERE}
QUALIFY row_number() OVER (PARTITION BY model, task, backend, dtype, source, contributed_by
                           ORDER BY finished_at DESC, run_id DESC) = 1
"""
"""A row a task that was scored beside another engine, or was to be: the view `scoring` leaves failures out."""
SUITES = f"SELECT * FROM scoring_suites r WHERE {HERE}"
EVALUATIONS = f"""
SELECT r.model, r.backend, r.dtype, r.compute_dtype, count(*) AS tasks, sum(r.asked_tokens) AS asked,
       sum(r.scoring_s) AS scoring_s, sum(r.new_tokens) AS generated, sum(r.generating_s) AS generating_s
FROM records r WHERE r.source = 'measured' AND r.status = 'ok' AND r.asked_tokens IS NOT NULL AND {HERE}
GROUP BY ALL ORDER BY r.model, r.backend, r.dtype, r.compute_dtype
"""
"""What evaluations took, of each model in each way."""


class Store(Protocol):
    """What answers a query: `harness.store.query.Reader`."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query."""
        ...


def rows_on(store: Store, names: Sequence[str]) -> SpeedRows:
    """What was timed on hardware of these names; nothing, and no query, for no names."""
    if not names:
        return SpeedRows()
    listed = [list(names)]
    return SpeedRows(
        points=store.rows(POINTS, listed),
        figures=store.rows(FIGURES, listed),
        ratios=store.rows(RATIOS, listed),
        scoring=store.rows(SCORING, [*listed, *listed]),
        suites=store.rows(SUITES, listed),
    )


def evaluations_on(store: Store, names: Sequence[str]) -> list[dict[str, Any]]:
    """What evaluations took on hardware of these names."""
    return store.rows(EVALUATIONS, [list(names)]) if names else []
