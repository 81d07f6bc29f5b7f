"""Columns: under which key a figure stands, in which task group its column is, and in which order they come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from harness.metrics.task_metadata import metadata_of
from harness.suites.suite import Suite, SuiteTask, load_suite, suite_names
from reports.board.model import ColumnKey, TaskColumn
from zoo.registry.loader import Registry

GROUPS = ("paper", "nano", "instruct")
"""The task groups that are suites, in the order of their pages; every other column is in OTHER."""
OTHER = "other"
MOST_COLUMNS = 12
"""Of a page of OTHER; the next has the group `other-2`."""
CHAT = "chat"
"""What the filter of a column says where prompts went through a chat template: such figures are a column of their own."""
NORMALISED = "chance-normalised"
"""What the metric of a column says where the source took chance off."""
UNFILTERED = "none"
"""lm-eval's name of no filter."""


@dataclass
class ColumnFacts:
    """What the figures of a column tell about it."""

    higher_is_better: bool | None = None
    chance: float | None = None
    figures: int = 0


def key_of(task: str, metric: str | None, name: str | None, shots: int | None, chat: bool = False) -> ColumnKey:
    """The key of a figure; `name` is lm-eval's filter, None where nobody says."""
    if chat:
        name = CHAT if name in (None, UNFILTERED) else f"{name}, {CHAT}"
    return ColumnKey(task, metric or "", name or "", shots)


@dataclass(frozen=True)
class Protocol:
    """What a shipped suite says of a task that it measures."""

    metric: str
    filter: str | None
    """None: whatever the task has."""
    chat: bool


def protocol_of(task: str, metric: str | None, name: str | None, shots: int | None, kind: str) -> Protocol | None:
    """The suite's protocol that measures a published score; None where no suite has the task with these shots.

    A suite of chat prompts is for models that were tuned for chat, and comes first there; metric and filter that the source
    leaves open are the suite's, as for the verdict on a reproduction.
    """
    for chat, entry in _protocols(kind != "base").get((task, shots), ()):
        if entry.metric and metric in (None, entry.metric) and (name is None or entry.filter in (None, name)):
            return Protocol(entry.metric, entry.filter, chat)
    return None


def measured_filter(measured: Iterable[ColumnKey], task: str, metric: str, shots: int | None, chat: bool) -> str | None:
    """The filter under which a task was measured, where its suite names none; None where nothing was measured."""
    same = (key.filter for key in measured if (key.task, key.metric, key.shots) == (task, metric, shots))
    return min((_plain(name) for name in same if _is_chat(name) == chat), default=None)


def columns_of(found: Mapping[ColumnKey, ColumnFacts], registry: Registry) -> tuple[TaskColumn, ...]:
    """The columns in their order: by group, inside a suite in its order, elsewhere what has most figures first, a task's
    columns together."""
    of_task: dict[str, int] = defaultdict(int)
    for key, facts in found.items():
        of_task[key.task] += facts.figures if _place(key)[0] == len(GROUPS) else 0
    placed = sorted(
        (*_place(key), -of_task[key.task], key.task, -facts.figures, _by_name(key), key) for key, facts in found.items()
    )
    made: list[TaskColumn] = []
    others = 0
    for group, *_, key in placed:
        name = GROUPS[group] if group < len(GROUPS) else _page_of_others(others)
        others += group == len(GROUPS)
        facts = found[key]
        chance = facts.chance if facts.chance is not None else chance_of(key, registry)
        made.append(TaskColumn(key, name, facts.higher_is_better, chance))
    return tuple(made)


def chance_of(key: ColumnKey, registry: Registry) -> float | None:
    """What guessing scores by the registry's benchmarks, or by what is known of the task; None where nobody says."""
    if NORMALISED in key.metric:
        return 0.0
    facts = metadata_of(key.task)
    if key.metric in facts.chance:
        return facts.chance[key.metric]
    benchmark = registry.benchmarks.get(facts.published or key.task)
    return None if benchmark is None or benchmark.chance is None else benchmark.chance / 100


def benchmark_name(task: str) -> str:
    """The name that publications have for one of our tasks."""
    return metadata_of(task).published or task


def is_of_a_suite(task: str, shots: int | None) -> bool:
    """Whether a shipped suite measures the task with that many examples."""
    return (task, shots) in _protocols(False) or (task, shots) in _protocols(True)


def _page_of_others(before: int) -> str:
    number = before // MOST_COLUMNS + 1
    return OTHER if number == 1 else f"{OTHER}-{number}"


def _place(key: ColumnKey) -> tuple[int, int]:
    """The group and the position inside its suite."""
    for group, suite in enumerate(_suites()):
        for position, entry in enumerate(suite.tasks):
            if _is_of(key, entry, suite.chat):
                return group, position
    return len(GROUPS), 0


def _by_name(key: ColumnKey) -> tuple[int, str, str]:
    return -1 if key.shots is None else key.shots, key.metric, key.filter


def _is_of(key: ColumnKey, entry: SuiteTask, chat: bool) -> bool:
    """Whether a suite's entry is measured under that key; what the entry leaves to the task fits anything."""
    if key.task != entry.task or entry.shots not in (None, key.shots) or entry.metric not in (None, key.metric):
        return False
    if entry.metric is None:
        return chat == _is_chat(key.filter)
    return chat == _is_chat(key.filter) and entry.filter in (None, _plain(key.filter))


def _is_chat(name: str) -> bool:
    """Whether the filter of a column's key says that prompts were chat."""
    return name.split(", ")[-1] == CHAT


def _plain(name: str) -> str:
    """lm-eval's filter in a column's key."""
    return name.removesuffix(CHAT).removesuffix(", ") or UNFILTERED if _is_chat(name) else name


@cache
def _suites() -> tuple[Suite, ...]:
    """The suites of GROUPS, in their order."""
    return tuple(map(load_suite, GROUPS))


@cache
def _protocols(chat_first: bool) -> Mapping[tuple[str, int | None], tuple[tuple[bool, SuiteTask], ...]]:
    """(task, shots) → the entries of shipped suites that name a metric for it, with whether their prompts are chat."""
    suites = [
        load_suite(name) for name in sorted(suite_names(), key=lambda name: (name not in GROUPS, name != "paper"))
    ]
    found: dict[tuple[str, int | None], list[tuple[bool, SuiteTask]]] = {}
    for suite in suites:
        for entry in _measuring(suite.tasks):
            found.setdefault((entry.task, entry.shots), []).append((suite.chat, entry))
    return {key: tuple(sorted(entries, key=lambda each: each[0] != chat_first)) for key, entries in found.items()}


def _measuring(entries: Iterable[SuiteTask]) -> Iterable[SuiteTask]:
    return (entry for entry in entries if entry.metric and entry.shots is not None)
