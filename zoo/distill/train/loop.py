"""A training run: steps, checkpoints, evaluations, until its steps are taken or a signal comes.

data ─ rows of step s ─┬─ teacher.targets ─┐
                       └─ student's states ─┴─ chunked loss ─ gradients ─ AdamW ─ metrics.jsonl
                                                                           └─ checkpoint ─ evaluate ─ best by task
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock, Timeout

from zoo.distill.batch import Batch, ExactTargets, Teacher
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.train.metrics import StepMetrics, Work, append, cut_after
from zoo.distill.train.objective import Objective
from zoo.distill.train.optimizer import check_optimizer, make_optimizer
from zoo.distill.train.parallel import DTYPES, spread
from zoo.distill.train.saving.checkpoint import Furnish, Progress, Saver, newest, run_identity
from zoo.distill.train.saving.keeping import check_room, tidy
from zoo.distill.train.saving.state import state_bytes
from zoo.distill.train.saving.weights import AsStored, check_names, model_bytes
from zoo.distill.train.schedule import rate_at
from zoo.distill.train.signals import StopRequest, stop_request
from zoo.distill.train.step import StepLoss, take_step
from zoo.distill.train.watcher import Evaluate, Measured, Watcher
from zoo.distill.train.world import World
from zoo.errors import Busy, LossNotFinite
from zoo.files import check_writable, json_object, write_atomically

METRICS, EVALUATIONS, CHECKPOINTS = "metrics.jsonl", "evaluations.json", "checkpoints"


class Rows(Protocol):
    """The data set: which rows a rank computes in a step, a pure function of its arguments."""

    digest: str
    order: Any
    """A frozen value that says in which order they come."""

    def batches(self, step: int, rank: int, world: int, batch: int, micro: int) -> Sequence[Batch]:
        """The micro-batches of one rank in a step; as many on every rank."""
        ...


@dataclass(frozen=True)
class TrainOutcome:
    """What a run made. `stopped` names the signal that ended it early; the same call then goes on."""

    steps: int
    tokens: int
    elapsed: float
    stopped: str | None
    last: Path
    """The newest checkpoint, of all steps."""
    best: Path | None
    """The checkpoint of the best evaluation; None without one."""
    evaluations: Mapping[int, Measured]
    """By the steps before them."""


def train(
    student: Any,
    teacher: Teacher | None,
    rows: Rows,
    loss: LossSettings,
    settings: TrainSettings,
    out: Path,
    *,
    student_digest: str,
    world: World | None = None,
    evaluate: Evaluate | None = None,
    watcher: Watcher | None = None,
    furnish: Furnish | None = None,
    as_stored: AsStored | None = None,
    work: Work | None = None,
    until: int | None = None,
) -> TrainOutcome:
    """Train the student and leave checkpoints, metrics.jsonl and evaluations.json in the folder `out`.

    A run that is found there is gone on with, from its newest checkpoint, to the same losses (bit-equal on one CPU device).
    SIGINT, SIGTERM and SIGUSR1 let it finish its step, save and return (while a checkpoint is measured they end it at once:
    the next call measures it). Without a teacher the text's cross-entropy is
    minimised. `evaluate` measures a checkpoint every `eval_every` steps and at the end. The student is changed in place.
    With `until` the run ends before a later step, with a checkpoint, and stays the same run: another call takes it further.

    Raises OtherRun, InvalidTraining, Busy, DiskFull, NotWritable, LossNotFinite, RankLost, PackageMissing,
    UnsupportedArchitecture.
    """
    world, watcher = world or World(torch.device("cpu")), watcher or Watcher()
    check_optimizer(settings)
    check_names(student)
    taught_by = teacher.digest if teacher else None
    identity = run_identity(student_digest, taught_by, rows.digest, loss, settings, rows.order)
    home = out / CHECKPOINTS
    with ExitStack() as stack:
        world.first(lambda: _take(out, stack))
        found = world.first(lambda: newest(home, identity))
        torch.manual_seed(settings.seed)  # the same projection on every rank
        width = _teacher_width(teacher, rows, loss, settings, world)
        objective = Objective(student, loss, width)
        module = spread(objective, settings, world)
        saver = Saver(home, identity, DTYPES[settings.dtype], world, furnish, as_stored)
        run = _Run(
            objective, module, make_optimizer(objective, settings), teacher, rows, settings, out, saver, evaluate, watcher,
            work or Work(), stack.enter_context(stop_request()), min(until or settings.steps, settings.steps),
            until is not None,
        )  # fmt: skip
        torch.manual_seed(settings.seed + world.rank)  # other random numbers in each rank's dropout
        if found is not None:
            found.read(objective, run.optimizer, world)
            run.progress, run.last = found.progress, found.folder
            objective.alpha = math.nan if found.progress.alpha is None else found.progress.alpha
            if world.is_first:
                watcher.note(f"Goes on after step {found.progress.step:,}, from {found.folder}.")
        return run.to_the_end()


@dataclass
class _Run:
    """A run under way."""

    objective: Objective
    module: torch.nn.Module
    optimizer: torch.optim.Optimizer
    teacher: Teacher | None
    rows: Rows
    settings: TrainSettings
    out: Path
    saver: Saver
    evaluate: Evaluate | None
    watcher: Watcher
    work: Work
    request: StopRequest
    last_step: int
    """The step that this call ends behind."""
    is_part: bool
    """Whether the caller goes on behind that step: then a signal that came with it is told too."""
    progress: Progress = field(default_factory=Progress)
    last: Path | None = None
    evaluations: dict[int, Measured] = field(default_factory=dict[int, Measured])

    @property
    def world(self) -> World:
        return self.saver.world

    @property
    def done(self) -> bool:
        return self.progress.step >= self.last_step

    def to_the_end(self) -> TrainOutcome:
        """Take all steps that are left."""
        self.world.first(self._go_back)
        self.evaluations = self.world.first(self._read_evaluations)
        self._check_room()
        stopped: str | None = None
        if self.last is not None and self._due(self.settings.eval_every) and self.progress.step not in self.evaluations:
            self._measure(self.last)  # killed between a checkpoint and its measurement
        while not self.done and stopped is None:
            self._step()
            stopped = self._stopped()
            measured = self.evaluate is not None and self._due(self.settings.eval_every)
            if measured or stopped or self._due(self.settings.save_every):
                self._save()
            if measured and self.last is not None and (self.done or stopped is None):
                self._measure(self.last)
        last = self.last or self._save()
        return TrainOutcome(
            self.progress.step, self.progress.tokens, self.progress.elapsed,
            None if self.done and not self.is_part else stopped, last,
            self._best(), self.evaluations,
        )  # fmt: skip

    def _due(self, every: int) -> bool:
        """Whether it is time for what is done every so many steps (0: never) and at the end."""
        return self.done or (every > 0 and self.progress.step % every == 0)

    def _step(self) -> None:
        step, settings, world = self.progress.step, self.settings, self.world
        began = time.perf_counter()
        batches = self.rows.batches(step, world.rank, world.size, settings.batch, settings.micro)
        rate = rate_at(step, settings)
        try:
            lost = take_step(self.module, self.optimizer, self.teacher, batches, settings, world, step, rate)
        except LossNotFinite as error:
            raise LossNotFinite(error.what, self._after_not_finite()) from error
        seconds = time.perf_counter() - began
        so_far = self.progress
        alpha = None if math.isnan(self.objective.alpha) else self.objective.alpha
        self.progress = Progress(step + 1, so_far.tokens + lost.tokens, so_far.elapsed + seconds, alpha)
        if world.is_first:
            self._tell(lost, rate, seconds, batches)

    def _tell(self, lost: StepLoss, rate: float, seconds: float, batches: Sequence[Batch]) -> None:
        a_second = self.settings.batch * self.settings.length / seconds
        digest = hashlib.sha256("".join(batch.digest for batch in batches).encode()).hexdigest()[:16]
        metrics = StepMetrics(
            self.progress.step, lost.loss, lost.divergence, lost.cross_entropy, lost.states, rate, lost.grad_norm,
            self.progress.tokens, round(seconds, 4), round(self.progress.elapsed, 4), round(a_second, 1),
            self.work.mfu(a_second), digest,
        )  # fmt: skip
        append(self.out / METRICS, metrics)
        self.watcher.step(metrics, self.settings.steps)

    def _after_not_finite(self) -> str:
        """What to do next; the state before the step is saved, for the optimizer has not moved."""
        if self.progress.step == 0:
            return "It is the first step: look at the student's weights and at these rows."
        self.optimizer.zero_grad()
        folder = self._save(tidied=False)
        return f"All steps before it are in {folder}. Take a smaller learning rate, or leave these rows out."

    def _stopped(self) -> str | None:
        """The signal that came to any rank."""
        if not any(self.world.total([float(self.request.signal is not None)])):
            return None
        return next(name for name in self.world.gather(self.request.signal) if name is not None)

    def _save(self, tidied: bool = True) -> Path:
        self.last = self.saver.save(self.objective, self.optimizer, self.progress)
        if tidied:
            self.world.first(lambda: tidy(self.saver.home, self.settings.keep, self._best()))
        if self.world.is_first:
            self.watcher.saved(self.last)
        if tidied and not self.done:
            self._check_room()
        return self.last

    def _check_room(self) -> None:
        """Before a step is computed whose checkpoint would find no room."""
        if self.done:
            return
        needed = model_bytes(self.objective.student, self.saver.dtype)
        needed += state_bytes(self.objective, self.settings.optimizer == "adamw-8bit")
        self.world.first(lambda: check_room(self.saver.home, needed, self.last))

    def _measure(self, folder: Path) -> None:
        evaluate = self.evaluate
        if evaluate is None:
            return
        with self.request.lifted():  # the checkpoint is there, and the next call measures it
            measured = self.world.first(lambda: evaluate(folder))
        self.evaluations[self.progress.step] = measured
        self.world.first(self._write_evaluations)
        if self.world.is_first:
            self.watcher.evaluated(self.progress.step, measured)
        self.world.first(lambda: tidy(self.saver.home, self.settings.keep, self._best()))

    def _best(self) -> Path | None:
        """The checkpoint that scored highest; of several the earliest."""
        if not self.evaluations:
            return None
        step = max(self.evaluations, key=lambda at: (self.evaluations[at].value, -at))
        return self.saver.home / f"step-{step:08d}"

    def _go_back(self) -> None:
        """Forget what was told of steps that are taken again."""
        cut_after(self.out / METRICS, self.progress.step)

    def _read_evaluations(self) -> dict[int, Measured]:
        stored = json_object(self.out / EVALUATIONS)
        found = {int(step): Measured(**measured) for step, measured in stored.items()}
        return {step: measured for step, measured in found.items() if step <= self.progress.step}

    def _write_evaluations(self) -> None:
        content = {str(step): asdict(measured) for step, measured in sorted(self.evaluations.items())}
        write_atomically(self.out / EVALUATIONS, (json.dumps(content, indent=2) + "\n").encode())


def _take(out: Path, stack: ExitStack) -> None:
    """Make the folder, or take it over; nobody else writes into it as long as the stack is open."""
    check_writable(out / CHECKPOINTS)
    try:
        stack.enter_context(FileLock(out / ".lock", timeout=0))
    except Timeout:
        raise Busy(f"Another run trains in {out}.", "Wait for it, or give another --out.") from None


def _teacher_width(
    teacher: Teacher | None, rows: Rows, loss: LossSettings, settings: TrainSettings, world: World
) -> int | None:
    """The width of the states that the teacher gives, where the loss asks for them."""
    if teacher is None or not (loss.states or loss.embedding):
        return None
    batch = rows.batches(0, world.rank, world.size, settings.batch, settings.micro)[0]
    said = teacher.targets(batch)
    return said.states[0].shape[-1] if isinstance(said, ExactTargets) and said.states else None
