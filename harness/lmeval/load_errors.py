"""What lm-eval, datasets and the hub's client raise while a task loads, translated to the causes in zoo.errors."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from zoo.errors import DataMissing, HubUnreachable, InvalidTask, MinizooError, PackageMissing, one_line

UNREACHABLE = {"ConnectionError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "DatasetNotFoundError"}
"""Exception classes by name: their modules differ between versions of the hub's client."""


@contextmanager
def translated_load_errors(task: str, config: Mapping[str, Any]) -> Generator[None]:
    """Inside, a foreign exception becomes PackageMissing, HubUnreachable, DataMissing or InvalidTask; minizoo's own pass.

    A task's module that ends the program (SLR-Bench without Prolog) is held likewise.
    """
    try:
        yield
    except MinizooError:
        raise
    except (Exception, SystemExit) as error:
        raise _cause(error, task, config.get("dataset_path")) from None


def _cause(error: BaseException, task: str, dataset: str | None) -> MinizooError:
    if "Couldn't find a module script" in str(error):
        return HubUnreachable(
            f"Task {task} needs a metric of the evaluate library, which is not in the cache and cannot be had from the hub "
            f"({one_line(error)[:200]}).",
            "Run again with the network up.",
        )
    if isinstance(error, ImportError | SystemExit) or "pip install" in str(error):
        return PackageMissing(
            f"Task {task} needs something that is not installed ({one_line(error)}).",
            "`pip install 'minizoo[instruct]'` has what the tasks of minizoo's suites need beyond the rest.",
        )
    if _is_missing_data(error):
        what = f"the data set {dataset}" if dataset else "its data set"
        return DataMissing(
            f"Task {task} needs {what}, which is not in the cache and the hub cannot "
            f"be reached ({type(error).__name__}).",
            "Give a local mirror with --data DIR, or run again with the network up.",
        )
    if "scripts are no longer supported" in str(error):
        return DataMissing(
            f"Task {task}'s data set {dataset} is a script on the hub, which is never run.",
            f"Take the hub's Parquet export of it: `minizoo data pull --tasks {task} --data DIR`, then give --data DIR.",
        )
    return InvalidTask(
        f"lm-eval cannot load task {task} ({type(error).__name__}: {one_line(error)[:200]}).",
        "Check the task's YAML and the columns of its data.",
    )


def _is_missing_data(error: BaseException) -> bool:
    names = {type(e).__name__ for e in (error, error.__cause__, error.__context__) if e is not None}
    return isinstance(error, OSError) or bool(names & UNREACHABLE)
