"""What is left of a parent's score, document by document, where the store has both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
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
    alike = [
        pair
        for pair in pairs
        if pair.own.higher_is_better and not other_conditions(_told(pair.theirs), _told(pair.own))
    ]
    there = _presence(reader)
    by_documents = [pair for pair in alike if there(pair.theirs) and there(pair.own)]
    load = _loader(reader, _records(reader, by_documents))
    found: dict[tuple[str, ScoreKey], Share | None] = {
        _name(pair): _share_of_scores(pair) for pair in alike if not pair.own.is_part and not pair.theirs.is_part
    }
    for pair in sorted(by_documents, key=lambda pair: (_where(pair.theirs), _where(pair.own))):
        found[_name(pair)] = _share_of_documents(pair, load)
    return {name: share for name, share in found.items() if share is not None}


def _share_of_scores(pair: Pair) -> Share | None:
    """By the two intervals."""
    fewer = min(pair.theirs, pair.own, key=lambda result: result.figure.n or 0)
    chance = next((each.chance for each in (fewer, pair.theirs, pair.own) if each.chance is not None), None)
    parent, source = pair.theirs.row.model, pair.own.figure.source
    return unpaired_share(parent, _estimate(pair.theirs), _estimate(pair.own), chance, source)


def _share_of_documents(pair: Pair, load: Callable[[Where, ScoreKey], Side]) -> Share | None:
    """None where the documents must not be paired, or the metric is no mean over them."""
    key = _score(pair.own)
    a, b = load(_where(pair.theirs), key), load(_where(pair.own), key)
    if not (_has_samples(a, key) and _has_samples(b, key)):
        return None if pair.own.is_part or pair.theirs.is_part else _share_of_scores(pair)
    kept = _retained(a, b, key)
    if kept is None:
        return None
    if kept.lower is not None and kept.lower == kept.upper:
        # Documents that all came out alike have no spread, which says nothing of others: the scores' own intervals do.
        return _share_of_scores(pair)
    parent, source = pair.theirs.row.model, pair.own.figure.source
    return Share(parent, kept.value, kept.lower, kept.upper, kept.raw, source, paired=True)


def _retained(a: Side, b: Side, key: ScoreKey) -> Retained | None:
    ours, theirs = a.results.get(key), b.results.get(key)
    if ours is None or theirs is None:
        return None
    if ours.record.members or theirs.record.members:
        return compare_key(a, b, key).retained
    evidence = evidence_of(ours, theirs)
    if isinstance(evidence, str) or evidence.way is not MEAN:
        return None
    return retained_of(evidence, chance_on(ours, theirs))


def _has_samples(side: Side, key: ScoreKey) -> bool:
    """Whether a task's documents could be read; of a group those of any of its tasks, for `compare` says what is missing."""
    result = side.results.get(key)
    if result is None or not result.record.members:
        return result is not None and result.items is not None
    return any(other.items is not None for other in side.results.values())


def _presence(reader: Reader) -> Callable[[Result], bool]:
    """What tells whether there is a file of a result's samples; a group has none of its own."""

    @cache
    def is_there(where: Where) -> bool:
        path = samples_path(reader.results, *where)
        return path is not None and path.is_file()

    return lambda result: result.is_group or is_there(_where(result))


def _loader(reader: Reader, records: Mapping[Where, str]) -> Callable[[Where, ScoreKey], Side]:
    """What loads a task, or a group with its tasks, of one run."""

    @lru_cache(KEPT_OPEN)
    def results(where: Where) -> dict[ScoreKey, TaskResult]:
        record = Record.model_validate_json(records[where])
        return with_items(record, _columns(samples_path(reader.results, *where)))

    def load(where: Where, key: ScoreKey) -> Side:
        run_id, _ = where
        own = results(where)
        members = own[key].record.members if key in own else ()
        others = [results((run_id, task)) for task in members if (run_id, task) in records]
        found = {at: result for each in (own, *others) for at, result in each.items()}
        return Side(word=run_id, kind="run", name=run_id, results=found, run_ids=(run_id,))

    return load


def samples_path(results: Path, run_id: str, task: str) -> Path | None:
    """Where a record's samples are; None where the run's id carries no date, as one that minizoo gave does."""
    try:
        return run_folder(results, run_id) / folder_name(task) / "samples.parquet"
    except (ValueError, OverflowError):
        return None


def _columns(path: Path | None) -> Mapping[str, Any] | None:
    """The columns of a task's samples that a share needs; None where they are gone or cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path is None:
        return None
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=[name for name in NEEDED if name in file.schema_arrow.names])
        # An empty column keeps `columns_of` from working the right answers out of responses, which are not read here.
        return columns_of(table.append_column("gold_logprob", pa.nulls(table.num_rows, pa.float64())))
    except (OSError, KeyError, pa.ArrowException):
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


def _name(pair: Pair) -> tuple[str, ScoreKey]:
    return _where(pair.own)[0], _score(pair.own)


def _told(result: Result) -> Record:
    """As much of a result's record as tells how it was measured, without reading the whole."""
    return Record.model_construct(**result.conditions)
