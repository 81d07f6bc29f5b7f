"""One task scored by lm-eval's HFLM, by minizoo, and a few of its documents by HFLM in fp32: one engine after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.rows.scored.process import EngineFailed, Job, Start
from benchmarks.rows.scored.tasks import FIRST, ChosenDocument, TaskPart, only, requests_of, within
from benchmarks.score_answers import Measured, agreement, joined, not_finite
from harness.records.beside_record import Agreement
from zoo.errors import ScoresNotFinite

REFERENCE = "lm-eval HFLM, batch 1"
TURN = 1.0
"""Seconds that an engine's calls take at least: a shorter one is repeated, and the mean counts."""
CHECKED = 0.25
"""Of the reference's share of the time: what the fp32 pass may take, its first documents aside."""
FP32 = "float32"


@dataclass
class Budget:
    """Seconds that the reference may take for all tasks that are left: what a task leaves over is the next ones'."""

    seconds: float
    tasks: int

    def share(self, most: float | None = None) -> float:
        """Of the next task; at most `most`."""
        share = max(0.0, self.seconds) / max(1, self.tasks)
        return share if most is None else min(share, most)

    def spend(self, measured: Measured) -> None:
        """The reference's calls took so long."""
        self.seconds -= measured["seconds"] * measured["calls"]


@dataclass(frozen=True)
class Conformance:
    """How far both engines are from fp32 on the same documents."""

    documents: int = 0
    ours: Agreement | None = None
    theirs: Agreement | None = None
    note: str | None = None
    """Why none were checked."""

    @property
    def conforms(self) -> bool | None:
        """Whether minizoo flips in no more documents than the reference; None where none were checked."""
        return self.ours.flips <= self.theirs.flips if self.ours and self.theirs else None


@dataclass(frozen=True)
class MeasuredTask:
    """What the engines made of a part of a task."""

    chosen: Sequence[ChosenDocument]
    reference: Measured
    ours: Measured
    agreement: Agreement
    conformance: Conformance = field(default_factory=Conformance)


def measure(part: TaskPart, job: Job, start: Start, budget: Budget, most: float | None = None) -> MeasuredTask:
    """Score as much of the task as the reference does in its share of the budget, and at most in `most` seconds.

    Raises EngineFailed where an engine breaks or an answer is not finite, and InvalidTask for data that do not suit the task.
    """
    share = budget.share(most)
    budget.tasks -= 1
    chosen, reference = _reference(part, job, start, budget, share)
    with start({**job, "engine": "packed"}) as engine:
        ours = engine.ask(requests=requests_of(chosen), turn=TURN)
    _check_finite({"minizoo": ours, REFERENCE: reference})
    whole = agreement(reference, ours, {one.number for one in chosen})
    return MeasuredTask(
        chosen, reference, ours, whole, _conformance(part, job, start, chosen, (reference, ours), share)
    )


def _reference(
    part: TaskPart, job: Job, start: Start, budget: Budget, share: float
) -> tuple[list[ChosenDocument], Measured]:
    """The part that the reference scores in its share, by its pace on the first documents; and its answers."""
    first = part.documents(min(FIRST, part.of))
    with start({**job, "engine": "hflm"}) as engine:
        pace = engine.ask(requests=requests_of(first), turn=0.0)
        budget.spend(pace)
        chosen = within(part, first, pace["seconds"], share - pace["seconds"])
        answered = engine.ask(requests=requests_of(chosen), turn=TURN)
        budget.spend(answered)
    return chosen, answered


def _conformance(
    part: TaskPart,
    job: Job,
    start: Start,
    chosen: Sequence[ChosenDocument],
    both: tuple[Measured, Measured],
    share: float,
) -> Conformance:
    """Reference and minizoo against transformers' own fp32 forward pass, where the device has room for it."""
    reference, ours = both
    try:
        truth = reference if job["dtype"] == FP32 else _truth(part, job, start, chosen, CHECKED * share)
    except EngineFailed as failure:
        return Conformance(note=f"not checked against fp32: {failure.text}")
    if not_finite(truth):
        return Conformance(note="not checked against fp32, whose answers are not finite")
    numbers = set(truth["documents"])
    return Conformance(len(numbers), agreement(truth, ours, numbers), agreement(truth, reference, numbers))


def _truth(part: TaskPart, job: Job, start: Start, chosen: Sequence[ChosenDocument], share: float) -> Measured:
    """fp32's answers to the first documents, and to as many more as fit into its share of the time."""
    numbers = part.first(min(FIRST, len(chosen)))
    with start({**job, "engine": "hflm", "dtype": FP32, "drawn": job["dtype"]}) as engine:
        first = engine.ask(requests=requests_of(only(chosen, numbers)), turn=0.0)
        count = min(len(chosen), int(len(numbers) * share / first["seconds"]))
        more = only(chosen, part.first(count) - numbers)
        return joined([first, *([engine.ask(requests=requests_of(more), turn=0.0)] if more else [])])


def _check_finite(answers: dict[str, Measured]) -> None:
    for engine, measured in answers.items():
        if bad := not_finite(measured):
            raise EngineFailed(
                ScoresNotFinite.code,
                f"{bad:,} of {len(measured['answers']):,} answers of {engine} are not finite",
            )


def peak_bytes(measured: dict[str, Any]) -> int:
    """Peak memory: of torch's allocator on a GPU, of the process on a CPU."""
    return measured.get("peak_gpu_bytes") or measured["peak_bytes"]
