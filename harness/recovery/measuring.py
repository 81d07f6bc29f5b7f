"""What to run for results that are missing: the command of those that are there, for the models that lack them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.compare.items import Side
from harness.records.record import Record
from harness.recovery.row import ROLES, Role
from harness.suites.suite import suite_names
from zoo.registry.loader import load_registry

COPIED = ("--suite", "--tasks", "--shots", "--limit", "--data")
"""Options of an evaluation that say what is measured."""


def commands(lacking: Sequence[str], there: Sequence[Side]) -> tuple[str, ...]:
    """The commands that measure these models (words of `eval`) as the newest result of the others was measured."""
    records = [result.record for side in there for result in side.results.values()]
    asked = _asked(max(records, key=lambda record: record.finished_at)) if records else ()
    made = [word for word in lacking if _is_made(word)]
    rest = [word for word in lacking if word not in made]
    together = [shlex.join(["minizoo", "eval", *rest, *asked])] if rest else []
    return (*together, *(shlex.join(["minizoo", "eval", "FOLDER", "--name", word, *asked]) for word in made))


def commands_of_tasks(words: Mapping[Role, str], missing: Mapping[str, Sequence[Role]]) -> Iterator[str]:
    """A line for each of the three that lacks results of tasks which another has: role → word, task → who lacks it."""
    for role in ROLES:
        tasks = [task for task, roles in missing.items() if role in roles]
        if tasks:
            word = words[role]
            called = ["FOLDER", "--name", word] if _is_made(word) else [word]
            command = shlex.join(["minizoo", "eval", *called, "--tasks", ",".join(tasks)])
            yield f"{word} has no result of {', '.join(tasks)}: `{command}`"


def _is_made(word: str) -> bool:
    """Whether it is a registry model whose weights everyone makes: a folder is run under its name."""
    entry = load_registry().find(word)
    return entry is not None and entry.made is not None


def _asked(record: Record) -> tuple[str, ...]:
    """The options by which a record's command said what to measure; by its suite and limit where it was no `minizoo eval`."""
    words = _words(record.setting.command)
    if "eval" in words:
        return tuple(_copied(words[words.index("eval") :]))
    limit = ("--limit", str(record.limit)) if record.limit else ()
    if record.suite in suite_names():
        return ("--suite", record.suite, *limit)
    return ("--tasks", ",".join(_tasks(record)), *limit)


def _copied(words: Sequence[str]) -> Iterator[str]:
    for at, word in enumerate(words):
        option, is_joined, _ = word.partition("=")
        if option in COPIED:
            yield word
            yield from () if is_joined else words[at + 1 : at + 2]


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _tasks(record: Record) -> list[str]:
    listed: Any = record.resolved_suite.get("tasks")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return [str(entry["task"]) for entry in entries if "task" in entry] or [record.task]
