"""The commands of a job, word by word: an evaluation, or blocks of speed tests in turn with the canary's, a process each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.lookups import interpreter
from harness.fleet.plan.schema import CPU, PlannedBackend, PlannedSuite, PlannedWorkload
from harness.records.night import Role, Step

TURN: tuple[Role, ...] = ("candidate", "canary", "canary", "candidate")
"""Of a block: what drifts evenly while it lasts falls on both alike."""


@dataclass(frozen=True)
class PinnedCanary:
    """The canary of a plan, looked up."""

    words: Sequence[str]
    backend: PlannedBackend
    python: str | None
    blocks: int


def eval_steps(
    file: PlanFile, model: Sequence[str], suite: PlannedSuite, backend: PlannedBackend, accelerator: str, role: Role
) -> tuple[Step, ...]:
    """One evaluation."""
    words = ["eval", *model, "--suite", file.word(suite.suite), *_backend_words(file, backend, accelerator)]
    if suite.limit is not None:
        words += ["--limit", str(suite.limit)]
    if suite.split > 1:  # `auto`: the cluster that the job itself runs in
        words += ["--ray", "auto", "--nodes", str(suite.split), "--accelerator", accelerator]
    if file.data is not None:
        words += ["--data", str(file.data)]
    return (Step(role=role, words=(*words, "--seed", str(file.plan.seed))),)


def bench_steps(
    file: PlanFile,
    model: Sequence[str],
    workload: PlannedWorkload,
    backend: PlannedBackend,
    accelerator: str,
    canary: PinnedCanary | None,
) -> tuple[Step, ...]:
    """Blocks of candidate, canary, canary, candidate; without a canary the candidate alone, once."""
    if canary is None:
        return (Step(words=_bench_words(file, model, workload, backend, accelerator)),)
    own = _bench_words(file, model, workload, backend, accelerator)
    pinned = _bench_words(file, canary.words, workload, canary.backend, accelerator)
    return tuple(
        Step(role=role, block=block, words=pinned, python=canary.python)
        if role == "canary"
        else Step(role=role, block=block, words=own)
        for block in range(canary.blocks)
        for role in TURN
    )


def _bench_words(
    file: PlanFile, model: Sequence[str], workload: PlannedWorkload, backend: PlannedBackend, accelerator: str
) -> tuple[str, ...]:
    words = ["bench", *model, "--workload", file.word(workload.workload), *_backend_words(file, backend, accelerator)]
    if workload.trials is not None:
        words += ["--trials", str(workload.trials)]
    if workload.seconds is not None:
        words += ["--seconds", f"{workload.seconds:g}"]
    return (*words, "--seed", str(file.plan.seed))


def _backend_words(file: PlanFile, backend: PlannedBackend, accelerator: str) -> Sequence[str]:
    """A served model says nothing of where and how it is run: its server does."""
    if backend.endpoint is not None:
        return ["--backend", backend.backend, "--endpoint", backend.endpoint]
    dtype = [] if backend.dtype == "auto" else ["--dtype", backend.dtype]
    python = interpreter(file, backend.python)
    own = [] if python is None else ["--python", python]
    return ["--backend", backend.backend, "--device", "cpu" if accelerator == CPU else "cuda", *dtype, *own]
