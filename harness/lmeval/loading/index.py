"""Where lm-eval's tasks are: a map from task, group and tag names to files, built once for each version of lm-eval.

lm-eval scans all of its 14,000 YAML files at every start, which takes seven seconds; this index does it once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoo.errors import UnknownTask
from zoo.files import cache_folder, write_cache
from zoo.names import unknown


def lm_eval_tasks() -> Path:
    """The folder of lm-eval's own tasks."""
    import lm_eval.tasks

    return Path(lm_eval.tasks.__file__).parent


def function_of(named: str) -> Any:
    """The function or class that a `!function` of a task file names, by its path in the index; raises what importing does."""
    from lm_eval.tasks._yaml_loader import _import_fun_from_str  # pyright: ignore[reportPrivateUsage]

    return _import_fun_from_str(named)


def folders_of(names: Iterable[str]) -> list[Path]:
    """The folders whose YAML files define these lm-eval names and everything they consist of; UnknownTask for others."""
    index = _index()
    found: set[str] = set()
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in index:
            raise unknown(
                UnknownTask, "task", name, index, f"lm-eval {version('lm-eval')} lists its tasks by `lm-eval ls tasks`."
            )
        entry = index[name]
        if entry["folder"]:
            found.add(entry["folder"])
        waiting += [member for member in entry["members"] if member in index]
    root = lm_eval_tasks()
    return [root / folder for folder in sorted(found)]


@cache
def _index() -> dict[str, Any]:
    path = cache_folder() / f"lm-eval-tasks-{version('lm-eval')}.json"
    if path.is_file():
        try:
            return json.loads(path.read_text("utf-8"))
        except ValueError:
            pass  # cut short by a crash: build it again
    index = _build()
    write_cache(path, json.dumps(index))
    return index


def stock() -> Mapping[str, Any]:
    """lm-eval's own index of all of its tasks, Python classes, groups and tags, each with its YAML, functions as paths."""
    from lm_eval.tasks import TaskManager

    return TaskManager().task_index


def _build() -> dict[str, Any]:
    root = lm_eval_tasks()
    index: dict[str, Any] = {}
    for name, entry in stock().items():
        folder = entry.yaml_path.parent.relative_to(root).as_posix() if entry.yaml_path else ""
        # For a tag, `tags` holds the tasks that carry it; for a task, the tags that it carries.
        tagged = entry.tags if entry.kind.name == "TAG" else set[str]()
        index[name] = {"folder": folder, "members": sorted({*_members(entry.cfg or {}), *tagged})}
    return index


def _members(config: dict[str, Any]) -> list[str]:
    """Names in a group's `task` list, also those of groups written inside it."""
    listed = config.get("task")
    names: list[str] = []
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, str):
            names.append(item)
        elif isinstance(item, dict):
            names += [item["group"]] if "group" in item else []
            names += [item["task"]] if isinstance(item.get("task"), str) else _members(item)
    return names
