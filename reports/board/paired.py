"""What is left of a parent's score, document by document, where the store has both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.compare.aggregates import MEAN
from harness.compare.conditions import other_conditions
from harness.compare.evidence import evidence_of
from harness.compare.groups import compare_key
from harness.compare.items import ScoreKey, Side, TaskResult
from harness.compare.sides.samples import columns_of, with_items
from harness.compare.task import chance_on, retained_of
from harness.records.files import folder_name, run_folder
from harness.records.record import Record
from harness.stats.estimate import Estimate
from harness.stats.paired.retained import Retained
from harness.store.query import Reader
from reports.board.measured import Result
from reports.board.model import ColumnKey, ModelFacts, Share
from reports.board.shares import unpaired_share
from reports.board.stored import parents_of

NEEDED = ("doc_id", "doc_hash", "occurrence", "request_hash", "metric", "filter", "value", "weight", "cluster")
"""Columns of samples.parquet: neither prompts nor answers."""
KEPT_OPEN = 128
"""Results of tasks that stay in memory: a parent's are asked for by each of its children."""
RECORDS = """
SELECT run_id, task, record FROM records
WHERE (run_id, task) IN (SELECT (run_id, task) FROM (SELECT unnest(?) AS run_id, unnest(?) AS task))
"""

Where = tuple[str, str]
"""Run and task."""


@dataclass(frozen=True)
class Pair:
    """A result and its parent's."""

    own: Result
    theirs: Result


def pairs_of(
    results: Sequence[Result], facts: Mapping[str, ModelFacts], shown: Mapping[str, tuple[str, ...]]
) -> list[Pair]:
    """Each result whose model has a parent with a result in the same column, with that one."""
    by_cell: dict[tuple[str, ColumnKey], list[Result]] = defaultdict(list)
    for result in results:
        by_cell[result.row.model, result.key].append(result)
    found: list[Pair] = []
    for own in results:
        parents = parents_of(facts[own.row.model], shown)
        others = [theirs for parent in parents for theirs in by_cell.get((parent, own.key), ())]
        if others:
            found.append(Pair(own, min(others, key=lambda theirs, own=own: _unlike(own, theirs))))
    return found


def _unlike(own: Result, theirs: Result) -> tuple[object, ...]:
    """What tells two results apart beside the model, the worst first; among equals the newest comes first in `results`."""
    return (
        own.is_part != theirs.is_part,
        own.figure.source != theirs.figure.source,
        own.row[1:] != theirs.row[1:],
        own.row.backend != theirs.row.backend,
        own.row.dtype != theirs.row.dtype,
    )


def measured_shares(reader: Reader, pairs: Sequence[Pair]) -> dict[tuple[str, ScoreKey], Share]:
    """(run, score) → what it keeps of its parent's score.

    Where the samples of one are gone, by the two intervals; where the two were not measured alike there is no share at all.
    """
    kept = [pair for pair in pairs if pair.own.higher_is_better]
    load = _loader(reader, _records(reader, kept))
    found: dict[tuple[str, ScoreKey], Share] = {}
    for pair in sorted(kept, key=lambda pair: (_where(pair.theirs), _where(pair.own))):
        share = _share(pair, load)
        if share is not None:
            found[_where(pair.own)[0], _score(pair.own)] = share
    return found


def _share(pair: Pair, load: Callable[[Where, ScoreKey], Side]) -> Share | None:
    key = _score(pair.own)
    a, b = (load(_where(result), key) for result in (pair.theirs, pair.own))
    ours, theirs = a.results.get(key), b.results.get(key)
    if ours is None or theirs is None or other_conditions(ours.record, theirs.record):
        return None
    parent, source = pair.theirs.row.model, pair.own.figure.source
    if _has_samples(a, ours) and _has_samples(b, theirs):
        kept = _retained(a, b, key)
        if kept is None:
            return None
        if kept.lower is None or kept.lower != kept.upper:
            return Share(parent, kept.value, kept.lower, kept.upper, kept.raw, source, paired=True)
        # Documents that all came out alike have no spread, which says nothing of others: the scores' own intervals do.
    elif pair.own.is_part or pair.theirs.is_part:
        return None
    return unpaired_share(parent, _estimate(pair.theirs), _estimate(pair.own), chance_on(ours, theirs), source)


def _retained(a: Side, b: Side, key: ScoreKey) -> Retained | None:
    """None where the documents must not be paired, or the metric is no mean over them."""
    ours, theirs = a.results[key], b.results[key]
    if ours.record.members or theirs.record.members:
        return compare_key(a, b, key).retained
    evidence = evidence_of(ours, theirs)
    if isinstance(evidence, str) or evidence.way is not MEAN:
        return None
    return retained_of(evidence, chance_on(ours, theirs))


def _has_samples(side: Side, result: TaskResult) -> bool:
    """Whether a task's documents are there; of a group those of any of its tasks, for `compare` says what is missing."""
    if not result.record.members:
        return result.items is not None
    return any(other.items is not None for other in side.results.values())


def _loader(reader: Reader, records: Mapping[Where, str]) -> Callable[[Where, ScoreKey], Side]:
    """What loads a task, or a group with its tasks, of one run."""

    @lru_cache(KEPT_OPEN)
    def results(where: Where) -> dict[ScoreKey, TaskResult]:
        record = Record.model_validate_json(records[where])
        return with_items(record, _columns(reader.results, *where))

    def load(where: Where, key: ScoreKey) -> Side:
        run_id, _ = where
        own = results(where)
        members = own[key].record.members if key in own else ()
        others = [results((run_id, task)) for task in members if (run_id, task) in records]
        found = {at: result for each in (own, *others) for at, result in each.items()}
        return Side(word=run_id, kind="run", name=run_id, results=found, run_ids=(run_id,))

    return load


def _columns(results: Path, run_id: str, task: str) -> Mapping[str, Any] | None:
    """The columns of a task's samples that a share needs; None where they are gone or cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(run_folder(results, run_id) / folder_name(task) / "samples.parquet") as file:
            table = file.read(columns=[name for name in NEEDED if name in file.schema_arrow.names])
        # An empty column keeps `columns_of` from working the right answers out of responses, which are not read here.
        return columns_of(table.append_column("gold_logprob", pa.nulls(table.num_rows, pa.float64())))
    except (OSError, ValueError, OverflowError, KeyError, pa.ArrowException):
        return None


def _records(reader: Reader, pairs: Iterable[Pair]) -> dict[Where, str]:
    """The records of all pairs, and of the tasks of those that are groups."""
    wanted = list(dict.fromkeys(_where(result) for pair in pairs for result in (pair.own, pair.theirs)))
    found = _read(reader, wanted)
    groups = [
        (run_id, Record.model_validate_json(text)) for (run_id, _), text in found.items() if '"members":["' in text
    ]
    members = [(run_id, task) for run_id, group in groups for task in group.members]
    return found | _read(reader, [where for where in members if where not in found])


def _read(reader: Reader, wanted: Sequence[Where]) -> dict[Where, str]:
    if not wanted:
        return {}
    rows = reader.rows(RECORDS, [[run_id for run_id, _ in wanted], [task for _, task in wanted]])
    return {(row["run_id"], row["task"]): row["record"] for row in rows}


def _where(result: Result) -> Where:
    return result.figure.run_id or "", result.key.task


def _score(result: Result) -> ScoreKey:
    return ScoreKey(result.key.task, result.metric, result.filter)


def _estimate(result: Result) -> Estimate:
    figure = result.figure
    return Estimate(figure.value, None, figure.lower, figure.upper)
