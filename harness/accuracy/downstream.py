"""Joining what may not know each other: a depth search in the zoo asks the harness for a task's score."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import EnvironmentIssue

if TYPE_CHECKING:
    from zoo.prune.parent import Parent


def task_scorer(
    parent: Parent, task: str, limit: int | None, data: Path | None, device: str, work: Path
) -> Callable[[Sequence[int]], float]:
    """A function from kept layers to the task's first metric (negated where lower is better).

    A candidate is a plan without weights, run by the `pruned` backend from the parent's own files. Raises
    EnvironmentIssue where the task could not be scored.
    """
    from backends.contract import Options
    from harness.accuracy.prepare import Request
    from harness.accuracy.run import run
    from zoo.prune.run import layers_kept
    from zoo.prune.write.writer import write_virtual

    def score(kept: Sequence[int]) -> float:
        candidate = work / "candidate"
        shutil.rmtree(candidate, ignore_errors=True)
        write_virtual(layers_kept(parent, kept), parent, candidate)
        request = Request(
            str(candidate), tasks=(task,), backend="pruned", limit=limit, data=data, options=Options(device)
        )
        (record,) = run(request, work / "results").records
        value = record.scores[0].value if record.status == "ok" else None
        if value is None:
            raise EnvironmentIssue(
                f"{task} could not be scored on layers {list(kept)} ({record.reason}).", "Run again."
            )
        return value if record.scores[0].higher_is_better else -value

    return score
