"""What of a suite is left out because it cannot be run: when that refuses the whole, and what is told of it beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.lmeval.loading.lost import LostTask
from harness.lmeval.loading.tasks import LoadedSuite
from harness.suites.suite import Suite
from zoo.errors import DataMissing, PackageMissing


def refuse_without_packages(lost: Sequence[LostTask]) -> None:
    """Raise PackageMissing where a task lacks no more than a package: installing it is a matter of a minute."""
    for task in lost:
        for error in task.errors.values():
            if isinstance(error, PackageMissing):
                raise error


def refuse_without_tasks(suite: Suite, loaded: LoadedSuite) -> None:
    """Raise the cause where nothing is left to run, with the reason of every entry if there are several."""
    if loaded.tasks:
        return
    errors = [task.error for task in loaded.lost]
    if len(errors) == 1:
        raise errors[0]
    kinds = {type(error) for error in errors}
    kind = kinds.pop() if len(kinds) == 1 else DataMissing
    reasons = " ".join(dict.fromkeys(error.what for error in errors))
    hints = " ".join(dict.fromkeys(error.hint for error in errors))
    raise kind(f"No task of suite {suite.name} can be run. {reasons}", hints)


def told_of_data(loaded: LoadedSuite) -> Iterator[str]:
    """A line for each task that will fail, and for each source of data that is none of the usual ones."""
    for task in loaded.lost:
        yield f"{task.name} will fail ({task.error.code}): {task.error}"
    sources: dict[str, list[str]] = {}
    for name, task in loaded.tasks.items():
        if task.data:
            sources.setdefault(task.data, []).append(name)
    for source, names in sources.items():
        yield f"Data of {', '.join(names)}: {source}."
