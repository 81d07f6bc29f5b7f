"""lm-eval's index of its own tasks served from the one that minizoo keeps: its scan takes seconds at every start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.lmeval.drop_in.replacing import replaced
from harness.lmeval.drop_in.versions import pinned
from harness.lmeval.loading.index import lm_eval_tasks, stock_index


@contextmanager
def served_index() -> Generator[None]:
    """Inside, the pinned lm-eval finds its own tasks without a scan; those of other folders it scans as ever."""
    if not pinned():
        yield
        return
    from lm_eval.tasks._index import TaskIndex

    stock_index()  # makes it where there is none, by the scan that is replaced below
    with replaced(TaskIndex, "build", staticmethod(_build(TaskIndex.build))):
        yield


def _build(scan: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def build(paths: Iterable[Path], **options: Any) -> dict[str, Any]:
        first, *others = [*paths] or [None]
        if first is None or first != lm_eval_tasks():
            return scan([path for path in (first, *others) if path is not None], **options)
        index = _entries()
        for name, entry in scan(others, **options).items():
            if name in index:
                logging.getLogger("lm_eval.tasks._index").warning(
                    "Task '%s' from %s overrides existing task from %s", name, entry.yaml_path, index[name].yaml_path
                )
            index[name] = entry
        return index

    return build


def _entries() -> dict[str, Any]:
    """The entries of lm-eval's own tasks. Their YAML is read again from its file by whoever makes a task of it."""
    from lm_eval.tasks._index import Entry, Kind

    root = lm_eval_tasks()
    return {
        name: Entry(name, Kind[kept["kind"]], root / kept["path"] if kept["path"] else None, tags=set(kept["tags"]))
        for name, kept in stock_index().items()
    }
