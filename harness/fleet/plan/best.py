"""The best checkpoint of a run by each task, over all nights: told, and marked, since a choice by a task flatters it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.fleet.plan.checkpoints import checkpoint_name
from harness.records.night import Finding, Night, NightOutcome
from harness.store.query import query
from harness.suites.suite import Suite, load_suite

SQL = """
SELECT r.given_name, r.suite, r.backend, coalesce(r.gpu, r.device) AS place, s.task, s.metric, s.filter, s.value, s.lower,
       s.upper, s.higher_is_better
FROM metrics s JOIN records r USING (run_id, task)
WHERE r.source = 'measured' AND r.status = 'ok' AND s.value IS NOT NULL AND starts_with(r.given_name, ?)
ORDER BY r.finished_at, r.run_id, s.rowid"""
MARK = "†"


@dataclass(frozen=True)
class Best:
    """The best checkpoint by one task."""

    label: str
    at: int
    task: str
    metric: str
    value: float
    suite: str
    of: int
    """Checkpoints that were evaluated on it."""
    others: tuple[int, ...]
    """Whose own interval reaches the best one's value: the task does not tell them from it."""

    @property
    def told(self) -> str:
        """In a sentence; the mark says that the value is that of a choice."""
        name, others = checkpoint_name(self.label, self.at), ", ".join(f"{at:,}" for at in self.others)
        apart = f"; not told apart from it: {others}" if others else ""
        return f"Best by {self.task} of {self.of}: {name}, {self.metric} {self.value:.4g} {MARK}{apart}."


def told_best(night: Night, outcome: NightOutcome, results: Path) -> Sequence[Finding]:
    """The best checkpoint of each run by each task, of the runs of which this night evaluated one; decides nothing.

    Every evaluated checkpoint of a run counts, of earlier nights too, on the suites, backends and machines of this night's. A
    task by which a checkpoint is chosen tells less of it than another one does: the mark † says so. Raises what `query` raises.
    """
    done = {job.job for job in outcome.jobs if job.status == "done"}
    labels = dict.fromkeys(job.label for job in night.jobs if job.label is not None and job.id in done)
    found: list[Finding] = []
    for label in labels:
        suites = {job.suite: _suite(job.steps[0].words) for job in night.jobs if job.label == label and job.suite}
        best = best_by_task(label, suites, query(results, SQL, [checkpoint_name(label, 0).removesuffix("0")]))
        found += [Finding(kind="told", about=label, text=one.told) for one in best]
        if best:
            text = f"{MARK} chosen by that very score, which therefore flatters: judge the chosen one by another task."
            found.append(Finding(kind="told", about=label, text=text))
    return found


def best_by_task(label: str, suites: dict[str, Suite], rows: Iterable[dict[str, Any]]) -> list[Best]:
    """A row a task, suite, backend and kind of machine, of the scores of a run's checkpoints, the newest last."""
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        at = row["given_name"].removeprefix(f"{label}@")
        if at.isdecimal() and row["suite"] in suites and _is_meant(row, suites[row["suite"]]):
            newest[row["suite"], row["backend"], row["place"], row["task"], int(at), row["metric"], row["filter"]] = row
    found: list[Best] = []
    for place, series in groupby(sorted(newest.items(), key=lambda one: one[0][:4]), key=lambda one: one[0][:4]):
        scores = list(series)
        first = scores[0][0][5:]
        of_metric = {key[4]: row for key, row in scores if key[5:] == first}
        found.append(_best(label, place[0], of_metric))
    return found


def _best(label: str, suite: str, scores: dict[int, dict[str, Any]]) -> Best:
    any_row = next(iter(scores.values()))
    up = any_row["higher_is_better"] is not False
    at = min(scores, key=lambda one: (-scores[one]["value"] if up else scores[one]["value"], one))
    value, edge = scores[at]["value"], "upper" if up else "lower"

    def reaches(row: dict[str, Any]) -> bool:
        return row[edge] is not None and (row[edge] >= value if up else row[edge] <= value)

    others = tuple(sorted(one for one, row in scores.items() if one != at and reaches(row)))
    return Best(label, at, any_row["task"], any_row["metric"], value, suite, len(scores), others)


def _is_meant(row: dict[str, Any], suite: Suite) -> bool:
    """Whether it is the metric that the suite is about; of a task without one the first of the record is."""
    entry = suite.entry(row["task"])
    if entry is None:
        return False
    return entry.metric in (None, row["metric"]) and entry.filter in (None, row["filter"])


def _suite(words: Sequence[str]) -> Suite:
    return load_suite(words[words.index("--suite") + 1])
