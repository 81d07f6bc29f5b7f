"""Outcomes as JSON for a page: bits in base64, every text and array once, no more of them than there is room for."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.compare.items import ScoreKey
from reports.compare.outcomes import NO_SAMPLES, Entry, Outcome, Outcomes, TaskOutcomes

ROOM = 1_500_000
"""Characters of all arrays together."""
NO_ROOM = "its outcomes would make this page too long"


@dataclass
class Table:
    """Values by number, each once."""

    values: list[Any] = field(default_factory=list[Any])
    numbers: dict[Any, int] = field(default_factory=dict[Any, int])

    def number(self, value: Any) -> int:
        """The number of a value, a new one where it is new."""
        if value not in self.numbers:
            self.numbers[value] = len(self.values)
            self.values.append(value)
        return self.numbers[value]


@dataclass(frozen=True)
class Packed:
    """The data of the page, and which tasks there was no room for."""

    data: dict[str, Any]
    left_out: tuple[str, ...]


Arrays = tuple[str, str | None, str | int]
"""Right or wrong; which documents, None for all; how they were asked, a number where all were asked in that way."""


def packed(outcomes: Outcomes, room: int = ROOM) -> Packed:
    """Everything that the script needs. Tasks are taken as long as they fit, in the order in which they were met."""
    arrays = {
        (model, entry.key): _arrays(entry.outcome, len(outcomes.documents[entry.key.task].places))
        for model, tasks in outcomes.models.items()
        for task in tasks
        for entry in task.entries
        if isinstance(entry.outcome, Outcome)
    }
    left_out = _without_room(arrays, room)
    tables = {name: Table() for name in ("keys", "arrays", "conditions", "words", "runs", "reasons")}
    sizes = {task: len(known.places) for task, known in outcomes.documents.items()}
    models = [
        {
            "id": model,
            "tasks": [
                {**_task(model, task, arrays, left_out, tables), "size": sizes.get(task.task, 0)} for task in tasks
            ],
            "failed": list(outcomes.failed[model]),
        }
        for model, tasks in outcomes.models.items()
    ]
    return Packed({"models": models, **{name: table.values for name, table in tables.items()}}, left_out)


def _arrays(outcome: Outcome, size: int) -> Arrays:
    import numpy as np

    right, there, asked = np.zeros(size, bool), np.zeros(size, bool), np.zeros(size, np.uint8)
    right[outcome.places], there[outcome.places], asked[outcome.places] = outcome.right, True, outcome.asked
    ways = set(outcome.asked.tolist())
    return (
        _bits(right),
        None if there.all() else _bits(there),
        ways.pop() if len(ways) == 1 else base64.b64encode(asked.tobytes()).decode(),
    )


def _bits(mask: Any) -> str:
    import numpy as np

    return base64.b64encode(np.packbits(mask, bitorder="little").tobytes()).decode()


def _without_room(arrays: dict[tuple[str, ScoreKey], Arrays], room: int) -> tuple[str, ...]:
    """The tasks that do not fit beside those before them."""
    texts: dict[str, set[str]] = defaultdict(set)
    for (_, key), values in arrays.items():
        texts[key.task] |= {value for value in values if isinstance(value, str)}
    left_out: list[str] = []
    for task, values in texts.items():
        needed = sum(map(len, values))
        if needed > room:
            left_out.append(task)
        else:
            room -= needed
    return tuple(left_out)


def _task(
    model: str,
    task: TaskOutcomes,
    arrays: dict[tuple[str, ScoreKey], Arrays],
    left_out: Sequence[str],
    tables: dict[str, Table],
) -> dict[str, Any]:
    conditions = [
        (tables["words"].number(words), tables["conditions"].number(value))
        for words, value in task.conditions.items()
        if value is not None
    ]
    return {
        "task": task.task,
        "run": tables["runs"].number(task.run_id),
        "whole": int(task.whole),
        "cut": task.cut,
        "as": conditions,
        "by": [
            _entry(entry, None if task.task in left_out else arrays.get((model, entry.key)), tables)
            for entry in task.entries
        ],
    }


def _entry(entry: Entry, arrays: Arrays | None, tables: dict[str, Table]) -> dict[str, Any]:
    key = tables["keys"].number((entry.key.metric, entry.key.filter))
    if arrays is None or not isinstance(entry.outcome, Outcome):
        why = entry.outcome if isinstance(entry.outcome, str) else NO_ROOM
        if why == NO_SAMPLES:
            return {"key": key, "bare": 1}
        return {"key": key, "why": tables["reasons"].number(why)}
    right, there, asked = arrays
    found: dict[str, Any] = {"key": key, "right": tables["arrays"].number(right), "n": entry.outcome.n}
    better = {True: 1, False: -1, None: 0}[entry.higher_is_better]
    optional = {
        "there": None if there is None else tables["arrays"].number(there),
        "asked": asked if isinstance(asked, int) else None,
        "ways": None if isinstance(asked, int) else tables["arrays"].number(asked),
        "chance": entry.outcome.chance,
        "better": None if better == 1 else better,
    }
    return found | {
        name: value for name, value in optional.items() if value is not None and (name, value) != ("asked", 0)
    }
