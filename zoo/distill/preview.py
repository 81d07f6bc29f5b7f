"""What a distillation would take, from dimensions alone: steps, FLOPs, memory, disk, hours. No weight and no text is read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.arch.dims import Dense
from zoo.arch.gpus import load_gpus
from zoo.checkpoint.model_ref import resolve
from zoo.distill.plan.disk import Disk, disk_bytes, trained_tokens
from zoo.distill.plan.fit import Fit, largest, ways_to_fit
from zoo.distill.plan.host import host_memory
from zoo.distill.plan.memory import Memory, peak_memory
from zoo.distill.plan.setup import Setup, Targets
from zoo.distill.plan.time import MFU, StepFlops, hours_by_gpu, step_flops
from zoo.distill.request import DistillRequest
from zoo.distill.teacher.choose import SAMPLES, TeacherChoice, choose_teacher
from zoo.errors import OtherVocabulary


@dataclass(frozen=True)
class Machine:
    """What is planned for: so many GPUs, the memory of each in 10⁹ bytes (None: each GPU of the table), a share of the peak."""

    gpus: int = 1
    memory_gb: float | None = None
    mfu: float | None = None


@dataclass(frozen=True)
class OneGpu:
    """The run on GPUs of one kind: how it fits there (None: not at all), hours (None: it does not fit, or no peak is known)."""

    name: str
    memory: int
    fits: Fit | None
    hours: float | None


@dataclass(frozen=True)
class DistillPlan:
    """Everything that a dry run tells."""

    setup: Setup
    student: str
    teacher: str
    flops: StepFlops
    memory: Memory
    host: Memory | None
    """Of a process in the host's memory, where weights wait there."""
    disk: Disk
    choice: TeacherChoice
    gpus: tuple[OneGpu, ...]
    ways: tuple[str, ...]
    """What would have to change where the run fits none of the GPUs; empty where it fits one."""
    mfu: float
    stated: tuple[str, ...]
    assumed: tuple[str, ...]
    notes: tuple[str, ...]
    """Of the recipe."""
    correction: str | None
    """How the teacher is corrected; None where it is not."""

    @property
    def tokens(self) -> int:
        """Tokens of all steps."""
        return trained_tokens(self.setup)

    @property
    def total_flops(self) -> int:
        """FLOPs of all steps."""
        return self.flops.total * self.setup.train.steps


def preview(request: DistillRequest, machine: Machine) -> DistillPlan:
    """The plan of a request. Raises OtherVocabulary, InvalidOption for a batch that GPUs cannot share, and as `resolve`."""
    student, teacher = resolve(request.student), resolve(request.teacher)
    setup = _setup(request, student.dense_dims, teacher.dense_dims, machine)
    mfu = machine.mfu or MFU
    gpus = tuple(_gpus(setup, machine, mfu))
    chosen = next((gpu.fits.setup for gpu in gpus if gpu.fits is not None), setup)
    ways: tuple[str, ...] = ()
    if all(gpu.fits is None for gpu in gpus):
        largest_one = max(gpu.memory for gpu in gpus)
        ways = tuple(way.told for way in ways_to_fit(setup, largest_one))
    advice, recipe = request.advice, request.recipe
    return DistillPlan(
        chosen,
        student.shown,
        teacher.shown,
        step_flops(chosen),
        peak_memory(chosen),
        host_memory(chosen),
        disk_bytes(chosen),
        _choice(request, chosen),
        gpus,
        ways,
        mfu,
        advice.stated if advice else (),
        advice.assumed if advice else (),
        recipe.notes if recipe else (),
        _corrected(request),
    )


def _corrected(request: DistillRequest) -> str | None:
    correction = request.correction
    if correction is None:
        return None
    when = f"{correction.tokens:,} tokens {correction.when} the distillation"
    return f"{when}, peak rate {correction.rate:g}: {correction.told}"


def _setup(request: DistillRequest, student: Dense, teacher: Dense, machine: Machine) -> Setup:
    if student.vocab_size != teacher.vocab_size:
        raise OtherVocabulary(
            f"The student has a vocabulary of {student.vocab_size:,} tokens and the teacher one of {teacher.vocab_size:,}.",
            "Distil from a teacher with the student's tokenizer.",
        )
    contexts = [dims.max_context for dims in (student, teacher) if dims.max_context is not None]
    if contexts and not request.length_asked:
        request = request.over(min(request.train.length, *contexts))
    targets: Targets = "live"
    if request.teacher_cache is not None:
        targets = "exact" if request.sampled is None else "sampled"
    train = request.train if request.dtype_asked else replace(request.train, dtype="bfloat16")
    draws, rank = request.sampled or SAMPLES, request.lora or 0
    return Setup(student, teacher, train, request.loss, targets, draws, machine.gpus, "cuda", rank)


def _gpus(setup: Setup, machine: Machine, mfu: float) -> list[OneGpu]:
    if machine.memory_gb is not None:
        memory = int(machine.memory_gb * 1e9)
        return [OneGpu(f"{machine.memory_gb:g} GB each", memory, largest(setup, memory), None)]
    found: list[OneGpu] = []
    for name, gpu in load_gpus().items():
        fits = largest(setup, gpu.memory_bytes)
        hours = None if fits is None else hours_by_gpu(fits.setup, mfu).get(name)
        found.append(OneGpu(gpu.display, gpu.memory_bytes, fits, hours))
    return found


def _choice(request: DistillRequest, setup: Setup) -> TeacherChoice:
    """Live, exact or sampled for this run's tokens, on the disk that the cache would be on."""
    home = request.teacher_cache or request.out or Path()
    there = next(path for path in (home, *home.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    layers = len(setup.loss.states) + int(setup.loss.embedding)
    return choose_teacher(
        setup.teacher, trained_tokens(setup), setup.train.length, free,
        k=setup.draws, dtype=setup.train.dtype, layers=layers,
    )  # fmt: skip
