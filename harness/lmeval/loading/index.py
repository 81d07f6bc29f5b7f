"""Where lm-eval's tasks are: a map from task, group and tag names to files, kept as long as none of lm-eval's files changes.

lm-eval reads all of its 14,000 YAML files at every start, which takes seven seconds; this index does it once. Whether a name is
known at all is told without it, from the lines that give names.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoo.errors import InputError, PackageMissing, UnknownTask
from zoo.files import cache_folder, write_cache
from zoo.names import unknown

PINNED = "0.4.13"
"""The version of lm-eval that everything here was tried with."""
NAMING = re.compile(rb"""^["']?(task|group|tag)["']?[ \t]*:[ \t]*(.*(?:\n[ \t]*-[ \t].*)*)""", re.MULTILINE)
"""The line of a YAML file that gives it a name, or with the lines below it a list of tags."""
WORD = re.compile(r"""[^\s"',\[\]]+""")
NOT_TASKS = {"__pycache__", ".ipynb_checkpoints"}
NOT_YAML = (".py", ".md", ".txt", ".json", ".jsonl", ".csv", ".tsv", ".sh", ".png", ".ipynb")
"""Endings of files that no task file includes; what they include is called `…_yaml`, `_yaml_…` or what its author likes."""


def lm_eval_tasks() -> Path:
    """The folder of lm-eval's own tasks. Does not import lm-eval."""
    found = importlib.util.find_spec("lm_eval")
    if found is None or found.origin is None:
        raise PackageMissing(
            "lm-eval, which minizoo needs, is not installed.", f"`pip install lm-eval=={PINNED}` brings it."
        )
    return Path(found.origin).parent / "tasks"


def function_of(named: str) -> Any:
    """The function or class that a `!function` of a task file names, by its path in the index; raises what importing does."""
    from lm_eval.tasks._yaml_loader import _import_fun_from_str  # pyright: ignore[reportPrivateUsage]

    return _import_fun_from_str(named)


def check_names(names: Iterable[str], own: Collection[str] = ()) -> None:
    """Raise UnknownTask for the first name that is neither lm-eval's nor among `own`; does not import lm-eval."""
    known = _kept_index()
    if known is None:
        known = scanned_names()
    for name in names:
        if name not in known and name not in own:
            if version("lm-eval") != PINNED:  # whose files may give names in another way
                folders_of([name])
            raise _unknown(name, [*known, *own])


def folders_of(names: Iterable[str]) -> list[Path]:
    """The folders whose YAML files define these lm-eval names and everything they consist of; UnknownTask for others."""
    index = stock_index()
    found: set[str] = set()
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in index:
            raise _unknown(name, index)
        entry = index[name]
        if entry["path"]:
            found.add(Path(entry["path"]).parent.as_posix())
        waiting += [member for member in entry["members"] if member in index]
    root = lm_eval_tasks()
    return [root / folder for folder in sorted(found)]


def stock() -> Mapping[str, Any]:
    """lm-eval's own index of all of its tasks, Python classes, groups and tags, each with its YAML, functions as paths."""
    from lm_eval.tasks import TaskManager

    return TaskManager().task_index


@cache
def stock_index() -> Mapping[str, Any]:
    """Name → what `stock` says of it in brief: `kind`, `path` below lm-eval's tasks, `tags`, and the `members` of a group."""
    index = _kept_index()
    if index is None:
        index = _build()
        write_cache(_cache_file(), json.dumps({"files": _state_of_files(), "names": index}))
    return index


def scanned_names() -> set[str]:
    """The names in lm-eval's YAML files by the lines that give them, within half a second and without reading YAML."""
    names: set[str] = set()
    for entry in _yaml_files(str(lm_eval_tasks())):
        for key, value in NAMING.findall(Path(entry.path).read_bytes()):
            names.update(_named(key.decode(), value.decode("utf-8", "replace")))
    return names


def _named(key: str, value: str) -> Iterator[str]:
    first, *listed = value.split("\n")
    first = re.sub(r"\s+#.*", "", first).strip()
    if key == "tag":
        for text in (first, *(line.strip().removeprefix("-") for line in listed)):
            yield from WORD.findall(text)
    elif first:
        yield first.strip("\"'")


def _unknown(name: str, known: Iterable[str]) -> InputError:
    listing = f"`minizoo lm-eval ls tasks` lists those of lm-eval {version('lm-eval')}."
    return unknown(UnknownTask, "task", name, known, listing)


@cache
def _kept_index() -> Mapping[str, Any] | None:
    """The index in the cache; None where there is none, or one of other files."""
    try:
        kept = json.loads(_cache_file().read_text("utf-8"))
        return kept["names"] if kept["files"] == _state_of_files() else None
    except (OSError, ValueError, KeyError, TypeError):  # cut short by a crash, or an older minizoo's
        return None


def _cache_file() -> Path:
    return cache_folder() / f"lm-eval-tasks-{version('lm-eval')}.json"


def _state_of_files() -> str:
    """A digest of names, sizes and times of lm-eval's YAML files: people edit these in place."""
    root = str(lm_eval_tasks())
    state = sorted((entry.path, (told := entry.stat()).st_size, told.st_mtime_ns) for entry in _yaml_files(root))
    return hashlib.sha256(repr(state).encode()).hexdigest()


def _yaml_files(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name not in NOT_TASKS:
                    yield from _yaml_files(entry.path)
            elif not entry.name.endswith(NOT_YAML):
                yield entry


def _build() -> dict[str, Any]:
    root = lm_eval_tasks()
    return {name: _brief(entry, root) for name, entry in stock().items()}


def _brief(entry: Any, root: Path) -> dict[str, Any]:
    # For a tag, `tags` holds the tasks that carry it; for a task, the tags that it carries.
    tagged = entry.tags if entry.kind.name == "TAG" else set[str]()
    return {
        "kind": entry.kind.name,
        "path": entry.yaml_path.relative_to(root).as_posix() if entry.yaml_path else "",
        "tags": sorted(entry.tags),
        "members": sorted({*_members(entry.cfg or {}), *tagged}),
    }


def _members(config: Mapping[str, Any]) -> Sequence[str]:
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
