"""From the store to a page on disk."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from harness.store.query import query
from reports.page import PageMeta, render_page
from reports.speed.section import SpeedRows
from zoo.errors import InvalidOption, NotWritable
from zoo.files import write_atomically

EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"

POINTS = """
SELECT r.run_id, r.task, r.finished_at, r.model, r.backend, r.device, r.gpu, r.processor, r.dtype, r.compute_dtype,
       r.status, r.reason, r.source, r.contributed_by,
       json_extract_string(r.record, '$.speed.machine.capability') AS capability,
       p.workload, p.point, p.input_tokens, p.output_tokens, p.batch, p.rate, p.weights, p.valid, p.reasons, p.note_codes,
       p.peak_allocator, p.peak_device, p.peak_resident, l.percent AS roofline_percent, l.bound_by
FROM speed_points p JOIN records r USING (run_id, task)
     LEFT JOIN (SELECT run_id, task, max(percent) AS percent, any_value(bound_by) AS bound_by FROM speed_limits
                WHERE step = 'decode' AND against = 'data sheet' GROUP BY run_id, task) l USING (run_id, task)
"""
"""A row a point, failed ones too, which the view `speed` leaves out as they have no figures."""
FIGURES = "SELECT run_id, task, metric, statistic, value, lower, upper, n FROM speed WHERE statistic IN ('p50', 'mean')"
RATIOS = "SELECT v.*, r.processor FROM speed_ratios v JOIN records r USING (run_id, task)"
SCORING = """
SELECT v.*, r.processor, r.status, r.reason FROM scoring v JOIN records r USING (run_id, task)
UNION ALL BY NAME
SELECT run_id, task, finished_at, model, backend, device, gpu, dtype, shots, source, contributed_by, processor, status, reason
FROM records WHERE status <> 'ok' AND suite = 'scoring' AND starts_with(task, 'scoring.')
"""
"""A row a task that was scored beside another engine, or was to be: the view `scoring` leaves failures out."""


def publish(results: Path, out: Path, version: str) -> Path:
    """Write `out/index.html` from the results, whole or not at all, and return its path.

    The page carries the time of SOURCE_DATE_EPOCH where that is set (reproducible-builds.org), else of now. Raises
    ResultsMissing when there are no results, NotWritable for the page, InvalidOption for a broken SOURCE_DATE_EPOCH.
    """
    scores = query(results, "SELECT * FROM scores")
    runs = query(results, "SELECT * FROM runs")
    records = sum(run["tasks"] for run in runs)
    page = render_page(scores, runs, PageMeta(_generated_at(), version, records), _speed(results))
    path = out / "index.html"
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, page.encode())
    except OSError as error:
        raise NotWritable(
            f"The report cannot be written to {path}: {error.strerror or error}.",
            "Give a folder that can be written, with room for it: `minizoo report --out DIR`.",
        ) from error
    return path


def _speed(results: Path) -> SpeedRows:
    return SpeedRows(
        points=query(results, POINTS),
        figures=query(results, FIGURES),
        ratios=query(results, RATIOS),
        scoring=query(results, SCORING),
        suites=query(results, "SELECT * FROM scoring_suites"),
    )


def _generated_at() -> datetime:
    epoch = os.environ.get(EPOCH_VARIABLE)
    if not epoch:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidOption(
            f"{EPOCH_VARIABLE} is '{epoch}', which is no time in seconds since 1970.",
            "Unset it, or set a whole number.",
        ) from error
