"""What a distilled folder says of itself in minizoo.json: whom it was trained from, by whom, and on which tasks' text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.files import json_object

NOTE = "minizoo.json"


@dataclass(frozen=True)
class NamedWeights:
    """A checkpoint by its name and the digest of its weights."""

    name: str
    digest: str


@dataclass(frozen=True)
class Origin:
    """Of a folder that `minizoo distill` made."""

    student: NamedWeights
    """The checkpoint as it was before its training."""
    teacher: NamedWeights
    trained_on: tuple[str, ...]
    """Tasks of which documents were found in the text and left there."""


def origin_of(folder: Path) -> Origin | None:
    """What the folder's note says; None where there is none of a distillation, or it says neither student nor teacher."""
    note = json_object(folder / NOTE)
    student, teacher = (_named(note.get(key)) for key in ("student", "teacher"))
    if student is None or teacher is None:
        return None
    return Origin(student, teacher, _tasks(note.get("data")))


def _named(stated: Any) -> NamedWeights | None:
    if not isinstance(stated, Mapping):
        return None
    name, digest = stated.get("name"), stated.get("digest")
    return NamedWeights(name, digest) if isinstance(name, str) and isinstance(digest, str) else None


def _tasks(data: Any) -> tuple[str, ...]:
    overlap = data.get("overlap") if isinstance(data, Mapping) else None
    if not isinstance(overlap, Mapping) or overlap.get("dropped") is True:
        return ()
    tasks = overlap.get("tasks")
    return tuple(sorted(task for task in tasks if isinstance(task, str))) if isinstance(tasks, Mapping) else ()
