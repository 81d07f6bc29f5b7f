"""Taking in speed records: their trials, the percentiles of each metric, the ratios between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.metrics.speed_metrics import TRIAL_COLUMNS, PointTrials, samples_of_points
from harness.metrics.trial_facts import TrialFacts, facts_of
from harness.records.record import Record
from harness.store.connection import fetched
from harness.store.rows.speed import comparison_rows, derived_ratio, limit_rows, point_row, statistic_rows
from harness.store.rows.tables import insert, insert_file


def insert_speed(connection: Any, records: Sequence[tuple[Record, Path]]) -> None:
    """Insert the speed records among these (each with its folder), inside the caller's transaction."""
    found = [
        (record, record.speed, folder / "trials.parquet") for record, folder in records if record.speed is not None
    ]
    if not found:
        return
    trials = [PointTrials(r.run_id, r.task, speed.slo, path) for r, speed, path in found if path.is_file()]
    samples = samples_of_points(trials) if trials else {}
    for record, _, path in found:
        insert_file(connection, "trial_rows", record.run_id, record.task, path)
    insert(connection, "speed_points", [point_row(record, speed) for record, speed, _ in found])
    with_samples = [(record, speed, path, samples.get((record.run_id, record.task))) for record, speed, path in found]
    limits = [row for r, speed, path, own in with_samples for row in limit_rows(r, speed, own, _facts(r, path))]
    insert(connection, "speed_limits", limits)
    stated = [row for record, speed, _, own in with_samples for row in statistic_rows(record, speed, own)]
    insert(connection, "speed_statistics", stated)
    insert(
        connection, "speed_comparisons", [row for record, speed, _ in found for row in comparison_rows(record, speed)]
    )
    _derive_ratios(connection, [record.run_id for record, _, _ in found])


def _facts(record: Record, trials: Path) -> TrialFacts | None:
    """What the trials of a contributed record say of themselves; None of others, whose own word is taken."""
    import pyarrow.parquet as pq

    if record.source != "contributed" or not trials.is_file():
        return None
    return facts_of(pq.read_table(trials, columns=list(TRIAL_COLUMNS)).to_pylist())


def _derive_ratios(connection: Any, runs: Sequence[str]) -> None:
    """Derive the comparisons that involve these runs, where the trials of both sides are in the database."""
    pairs = connection.execute(
        "SELECT c.run_id, c.task, c.mode, c.metric, c.seed, c.against_run_id, any_value(b.task) AS against_task "
        "FROM speed_comparisons c JOIN speed_points a USING (run_id, task) "
        "JOIN speed_points b ON b.run_id = c.against_run_id AND b.workload = a.workload AND b.batch = c.against_batch "
        "AND b.input_tokens = a.input_tokens AND b.output_tokens = a.output_tokens "
        "WHERE c.run_id IN (SELECT unnest($runs)) OR c.against_run_id IN (SELECT unnest($runs)) GROUP BY ALL ORDER BY ALL",
        {"runs": list(runs)},
    )
    for pair in fetched(pairs):
        ours = _samples(connection, pair["metric"], pair["run_id"], pair["task"])
        theirs = _samples(connection, pair["metric"], pair["against_run_id"], pair["against_task"])
        made = derived_ratio(pair, ours, theirs)
        if made is not None:
            listed = ", ".join(f"{name} = ?" for name in made)
            connection.execute(
                f"UPDATE speed_comparisons SET {listed} WHERE run_id = ? AND task = ? AND mode = ? AND metric = ?",
                [*made.values(), *(pair[name] for name in ("run_id", "task", "mode", "metric"))],
            )


def _samples(connection: Any, metric: str, run_id: str, task: str) -> list[float]:
    rows = connection.execute(
        f"SELECT value FROM metric_{metric} WHERE run_id = ? AND task = ? ORDER BY value", [run_id, task]
    ).fetchall()
    return [row[0] for row in rows]
