"""What the store has of each model: the newest valid result a cell, and what failed since."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.records.record import precision
from harness.store.query import Reader
from reports.board.columns import key_of
from reports.board.model import ColumnKey, Failure, Figure, Source
from reports.cells import count, moment

ISO = "%Y-%m-%dT%H:%M:%SZ"
COLUMNS = """v.run_id, v.task, v.finished_at, v.model, v.backend, v.device, v.gpu, v.dtype, v.compute_dtype, v.metric,
       v.filter, v.shots, v."limit", v.value, v.lower, v.upper, v.n, v.total, v.chance, v.higher_is_better, v.truncated,
       v.isolation, v.source, v.fewshot_draws"""
RESULTS = f"""
WITH theirs AS (
  SELECT s.* FROM scores s JOIN records r USING (run_id, task)
  WHERE s.source IN ('imported', 'contributed') AND s.status = 'ok' AND s.value IS NOT NULL
  QUALIFY row_number() OVER (
    PARTITION BY s.model, s.suite, s.task, s.metric, s.filter, s.shots, s."limit", s.backend, s.device, s.gpu, s.dtype,
                 s.compute_dtype, s.source, r.contributed_by
    ORDER BY s.finished_at DESC, run_id DESC
  ) = 1
), chosen AS (
  SELECT {COLUMNS}, v.conformance FROM latest_valid v UNION ALL SELECT {COLUMNS}, NULL FROM theirs v
)
SELECT c.*, r.processor, r.contributed_by, p.metric AS named_metric, p.filter AS named_filter,
       p.share, json_extract_string(r.record, '$.members[*]') AS members, contains(r.record, '"members":["') AS is_group,
       json_extract_string(r.record, '$.chat_template') AS chat_template,
       json_extract_string(r.record, '$.task_version') AS task_version, json_extract(r.record, '$.decoding') AS decoding,
       json_extract_string(r.record, '$.imported.tool') AS tool,
       json_extract_string(r.record, '$.scores[0].metric') AS first_metric,
       json_extract_string(r.record, '$.scores[0].filter') AS first_filter
FROM chosen c JOIN records r USING (run_id, task) LEFT JOIN run_protocols p USING (run_id, task)
WHERE isfinite(c.value)
ORDER BY c.finished_at DESC, c.run_id DESC, c.task, c.metric, c.filter
"""
"""The newest score of each circumstance, newest first: ours by the view latest_valid, what others measured likewise."""
MEMBERS = """
SELECT run_id, unnest(CAST(json_extract(record, '$.members') AS VARCHAR[])) AS task
FROM records WHERE contains(record, '"members":["')
"""
"""The tasks that a group of the same run stands for."""
FAILED = """
SELECT model, task, status, coalesce(reason, code, status) AS reason, run_id, finished_at
FROM scores WHERE source <> 'published'
QUALIFY row_number() OVER (PARTITION BY model, task, backend, device, gpu, dtype ORDER BY finished_at DESC, run_id DESC) = 1
ORDER BY finished_at DESC, model, task
"""

UNCHECKED = "unchecked backend"
"""The note of a figure of which it was not known whether its backend gives right numbers for such a model."""


class RowKey(NamedTuple):
    """What the figures of one line of the board have in common."""

    model: str
    backend: str
    dtype: str
    hardware: str


@dataclass(frozen=True)
class Result:
    """A figure with where it stands, and what its column is made from."""

    row: RowKey
    key: ColumnKey
    figure: Figure
    metric: str
    filter: str
    """As the record has them."""
    primary: bool
    """Whether the metric is the one that the suite is about, or the task's first."""
    chance: float | None
    higher_is_better: bool | None
    is_group: bool
    conditions: Mapping[str, Any]
    """What `harness.compare.conditions` reads of a record: how it was measured."""
    members: tuple[str, ...] = ()
    """Of a group its tasks."""

    @property
    def is_part(self) -> bool:
        """Whether it is of a part of the documents."""
        return is_part(self.figure)


def is_part(figure: Figure) -> bool:
    """Whether a figure is of a part of its task's documents."""
    return figure.n is not None and figure.total is not None and figure.n < figure.total


def behind_groups(reader: Reader) -> set[tuple[str, str]]:
    """(run, task) of every task that a group of the same run stands for."""
    return {(row["run_id"], row["task"]) for row in reader.rows(MEMBERS)}


def results_of(reader: Reader, behind: Container[tuple[str, str]]) -> list[Result]:
    """The newest result of each cell, whole and part apart, each source apart; tasks `behind` groups left out."""
    made = (_result(row) for row in reader.rows(RESULTS) if (row["run_id"], row["task"]) not in behind)
    newest: dict[tuple[object, ...], Result] = {}
    for result in made:
        figure = result.figure
        by = figure.origin if figure.source == "contributed" else ""
        newest.setdefault((result.row, result.key, figure.source, by, result.is_part), result)
    return list(newest.values())


def failures_of(reader: Reader, behind: Container[tuple[str, str]]) -> tuple[Failure, ...]:
    """Tasks whose newest run has no numbers, newest first; each once a model, those `behind` groups left out."""
    found: dict[tuple[str, str], Failure] = {}
    for row in reader.rows(FAILED):
        if row["status"] != "ok" and (row["run_id"], row["task"]) not in behind:
            when = moment(row["finished_at"], ISO)
            found.setdefault(
                (row["model"], row["task"]), Failure(row["model"], row["task"], row["reason"], row["run_id"], when)
            )
    return tuple(found.values())


def _result(row: Mapping[str, Any]) -> Result:
    return Result(
        row=row_of(row),
        key=key_of(row["task"], row["metric"], row["filter"], row["shots"], row["chat_template"] is not None),
        figure=_figure(row),
        metric=row["metric"],
        filter=row["filter"],
        primary=_is_primary(row),
        chance=row["chance"],
        higher_is_better=row["higher_is_better"],
        is_group=row["is_group"],
        members=tuple(row["members"] or ()),
        conditions={
            **{name: row[name] for name in ("shots", "source", "task_version", "chat_template")},
            "decoding": json.loads(row["decoding"] or "null"),
        },
    )


def row_of(row: Mapping[str, Any]) -> RowKey:
    """The line of the board that a row of the store belongs to: the GPU by its product name, else the processor, else the kind
    of device."""
    hardware = row["gpu"] or row["processor"] or row["device"] or ""
    return RowKey(row["model"], row["backend"] or "", precision(row["dtype"] or "", row["compute_dtype"]), hardware)


def _is_primary(row: Mapping[str, Any]) -> bool:
    if row["named_metric"]:
        return row["metric"] == row["named_metric"] and row["named_filter"] in (None, row["filter"])
    return (row["metric"], row["filter"]) == (row["first_metric"], row["first_filter"])


def _figure(row: Mapping[str, Any]) -> Figure:
    source: Source = row["source"]
    origin = {"imported": row["tool"], "contributed": row["contributed_by"]}.get(source)
    n, total = row["n"], row["total"]
    if row["share"] and row["limit"] is None and total:
        total = n  # the part that the protocol takes is its whole
    return Figure(
        source=source,
        value=row["value"],
        lower=row["lower"],
        upper=row["upper"],
        n=n,
        total=total,
        run_id=row["run_id"],
        finished_at=moment(row["finished_at"], ISO),
        origin=origin or "",
        notes=_notes(row, n, total),
    )


def _notes(row: Mapping[str, Any], n: int | None, total: int | None) -> tuple[str, ...]:
    draws, cut = row["fewshot_draws"], row["truncated"]
    told = (
        f"{count(n)} of {count(total)} documents" if n is not None and total is not None and n < total else "",
        f"{row['share']:.0%} of the documents, as its protocol takes" if row["share"] and n == total else "",
        f"{count(cut)} prompts cut" if cut else "",
        f"mean of {draws} draws of examples" if draws and draws > 1 else "",
        f"code run: {row['isolation']}" if row["isolation"] else "",
        UNCHECKED if row["conformance"] == "unchecked" else "",
    )
    return tuple(filter(None, told))


def preference(figure: Figure) -> tuple[bool, int, str]:
    """Which figure of a cell counts first: a whole before a part, then by who measured, the newest last key first."""
    order: Sequence[Source] = ("measured", "imported", "contributed", "published")
    return is_part(figure), order.index(figure.source), figure.origin


def in_order(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    """The figures of a cell, the one that counts first."""
    return tuple(sorted(figures, key=preference))
