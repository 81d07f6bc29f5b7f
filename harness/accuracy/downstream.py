"""A task's score as a function of the layers kept: what a command passes to the zoo for a depth search."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import TaskFailed

if TYPE_CHECKING:
    from zoo.prune.parent import Parent


def task_scorer(
    parent: Parent, task: str, limit: int | None, data: Path | None, device: str, work: Path
) -> Callable[[Sequence[int]], float]:
    """A function from kept layers to the task's first metric (negated where lower is better).

    A candidate is a plan without weights, run by the `pruned` backend from the parent's own files. Raises TaskFailed where
    the task could not be scored.
    """
    from backends.contract import Options
    from harness.accuracy.prepare import DocumentRules, EvalRequest
    from harness.accuracy.run import run
    from harness.suites.suite import TaskSelection
    from zoo.prune.selection import keep_layers
    from zoo.prune.write.writer import write_virtual

    def score(kept: Sequence[int]) -> float:
        candidate = work / "candidate"
        shutil.rmtree(candidate, ignore_errors=True)
        write_virtual(keep_layers(parent.identity, kept), parent, candidate)
        request = EvalRequest(
            str(candidate),
            selection=TaskSelection(tasks=(task,)),
            backend="pruned",
            options=Options(device),
            rules=DocumentRules(limit),
            data=data,
        )
        (record,) = run(request, work / "results").records
        value = record.scores[0].value if record.status == "ok" else None
        if value is None:
            why = record.reason or "its first metric has no finite value"
            raise TaskFailed(
                f"{task} has no score with layers {list(kept)} alone ({why.rstrip('.')}).",
                "Take another --depth-task, or another --depth-by.",
            )
        return -value if record.scores[0].higher_is_better is False else value

    return score
