"""How many documents each entry of a suite has, and how many a limit leaves: by the data where given, else as it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.offline import hub_offline
from harness.lmeval.loading.tasks import leaf_configs, load_tasks
from harness.lmeval.prompts import count_of
from harness.metrics.published import documents_of
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS, metadata_of
from harness.suites.suite import Suite, SuiteTask
from zoo.registry.loader import Registry, load_registry

REAL_METRICS = frozenset({"f1", "rouge1", "rouge2", "rougeL"})
"""Metrics whose value for a document lies anywhere between 0 and 1."""


@dataclass(frozen=True)
class TaskDocuments:
    """One entry of a suite, a group with all its leaves."""

    task: str
    metric: str | None
    total: int | None
    """All that the suite's protocol takes (its `share`); None: nobody knows."""
    taken: int | None
    """By the suite's limit, or the one that is asked about."""
    basis: str
    """`the data`, `the registry`; or why it is not known."""
    leaves: int = 1
    unit_interval: bool = True
    """Whether a document's value lies between 0 and 1, without which a loss in points means nothing."""
    real: bool = False
    """Whether it may be anything between; else a document is right or wrong."""
    sampled: bool = False
    """Whether answers are drawn, so that another night's are others."""
    shared_unit: str | None = None
    """What several documents share."""


def documents_of_suite(suite: Suite, data: Path | None, limit: int | None) -> list[TaskDocuments]:
    """A row an entry. Only what the registry does not know, or `data` holds, is read; nothing is downloaded."""
    registry = load_registry()
    known = {entry.task: documents_of(registry, entry.task) for entry in suite.tasks}
    asked = suite.tasks if data is not None else [entry for entry in suite.tasks if known[entry.task] is None]
    counted = _counted(suite, asked, data)
    return [_row(suite, entry, counted.get(entry.task), known[entry.task], limit, registry) for entry in suite.tasks]


def _counted(suite: Suite, entries: Sequence[SuiteTask], data: Path | None) -> Mapping[str, list[int]]:
    """Entry → documents of its leaf tasks, of those entries that are whole at hand."""
    if not entries:
        return {}
    with hub_offline():
        loaded = load_tasks(suite.model_copy(update={"tasks": tuple(entries)}), data, keep_lost=True)
    lost = {task.entry.task for task in loaded.lost}
    found: dict[str, list[int]] = {}
    for task in loaded.tasks.values():
        if task.entry.task not in lost:
            found.setdefault(task.entry.task, []).append(len(list(task.task.eval_docs)))
    return found


def _row(
    suite: Suite, entry: SuiteTask, leaves: list[int] | None, known: int | None, limit: int | None, registry: Registry
) -> TaskDocuments:
    configs = leaf_configs(suite, entry)
    whole = known if leaves is None else sum(leaves)
    facts, metric = metadata_of(entry.task), entry.metric or _metric(configs[0])
    sampled = (configs[0].get("repeats") or 1) > 1 and bool(
        (configs[0].get("generation_kwargs") or {}).get("temperature")
    )
    benchmark = registry.benchmarks.get(facts.published or entry.task)
    return TaskDocuments(
        task=entry.task,
        metric=metric,
        total=None if whole is None else _taken(whole, leaves, len(configs), None, entry.share),
        taken=None if whole is None else _taken(whole, leaves, len(configs), limit or entry.limit, entry.share),
        basis="the data" if leaves else "the registry" if whole else "its data are not here, and no source says",
        leaves=len(configs),
        unit_interval=metric in UNIT_INTERVAL_METRICS,
        real=metric in REAL_METRICS or sampled or bool(benchmark and benchmark.real_valued),
        sampled=sampled,
        shared_unit=facts.unit if facts.cluster else None,
    )


def _metric(config: Mapping[str, Any]) -> str | None:
    """The task's first."""
    listed = config.get("metric_list") or ()
    return next((str(metric["metric"]) for metric in listed), None)


def _taken(total: int, leaves: list[int] | None, many: int, limit: int | None, share: float | None) -> int:
    """A limit and a share are of each leaf; without the leaves' sizes a limit is taken as of leaves of one size."""
    if leaves is not None:
        return sum(count_of(each, limit, share) or each for each in leaves)
    return min(total, count_of(total, None if limit is None else limit * many, share) or total)
