"""A teacher that is fine-tuned on the text step by step with its student, and teaches with the weights of each step.

arXiv 2408.11796 does this in parallel with the distillation and finds it no worse than correcting first. Here the teacher takes
its step on a batch, then the student learns from it on the same batch. One process or DDP: its weights are whole on each rank.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zoo.distill.batch import Batch, ExactTargets
from zoo.distill.correction import correction_settings
from zoo.distill.data.rows import TokenRows
from zoo.distill.request import DistillRequest
from zoo.distill.result.folder import add_small_files
from zoo.distill.settings import LossSettings
from zoo.distill.stages.teaching import TeacherFolder, load_model
from zoo.distill.teacher.live import LiveTeacher
from zoo.distill.train.loop import CHECKPOINTS
from zoo.distill.train.objective import Objective
from zoo.distill.train.optimizer import make_optimizer
from zoo.distill.train.parallel import DTYPES, spread
from zoo.distill.train.saving.checkpoint import TRAINING
from zoo.distill.train.saving.state import read_state, write_state
from zoo.distill.train.saving.weights import write_model
from zoo.distill.train.schedule import rate_at
from zoo.distill.train.step import take_step
from zoo.distill.train.world import World
from zoo.errors import ConflictingOptions

STATE = "teacher"
"""Folder inside a checkpoint's training state."""


class TeacherBeside:
    """The teacher and its own optimizer. `rows` gives batches of which it has learnt before anybody else sees them."""

    def __init__(
        self, request: DistillRequest, source: TeacherFolder, rows: TokenRows, layers: tuple[int, ...], world: World
    ) -> None:
        """Load the teacher, ready to learn. Raises ConflictingOptions under fsdp."""
        assert request.correction is not None
        if world.mode == "fsdp":
            raise ConflictingOptions(
                "A teacher that is corrected beside the student is whole on each process, and fsdp shards it.",
                "Give --correct-teacher before, or --parallel ddp.",
            )
        self.settings = correction_settings(request.train, request.correction)
        self.world = world
        self.source = source
        model = load_model(source.folder, DTYPES["float32"])
        self.digest = (
            f"{source.digest} corrected beside: {request.correction.tokens} tokens at {request.correction.rate:g}"
        )
        self._live = LiveTeacher(model, layers, self.digest)
        self.vocabulary = self._live.vocabulary
        model.requires_grad_(requires_grad=True)
        self._objective = Objective(model, LossSettings())
        self._module = spread(self._objective, self.settings, world)
        self._optimizer = make_optimizer(self._objective, self.settings)
        self.steps = 0
        """Steps that it has taken."""
        self.rows = LearntRows(rows, self.learn)

    def learn(self, step: int, batches: Sequence[Batch]) -> None:
        """Take the step on these batches, once, as long as the correction has steps."""
        if step != self.steps:
            return
        self.steps += 1
        if step < self.settings.steps:
            rate = rate_at(step, self.settings)
            self._live.model.train()
            take_step(self._module, self._optimizer, None, batches, self.settings, self.world, step, rate)
            self._live.model.eval()

    def targets(self, batch: Batch) -> ExactTargets:
        """What it says now. Its weights are held in fp32, so the products are cast one by one."""
        device, compute = self.world.device, DTYPES[self.settings.dtype]
        with torch.autocast(device.type, compute, enabled=compute != torch.float32):
            said = self._live.targets(batch)
        head = said.head
        bias = None if head.bias is None else head.bias.detach().to(compute)
        cast = replace(head, weight=head.weight.detach().to(compute), bias=bias)
        return ExactTargets(said.hidden.to(compute), cast, said.states)

    def furnish(self, student: Path) -> Callable[[Path], None]:
        """What a checkpoint gets beside the student's weights: its small files, and the teacher's state of this step."""
        small = add_small_files(student)

        def furnish(folder: Path) -> None:
            small(folder)
            state = folder / TRAINING / STATE
            state.mkdir()
            write_state(self._objective, self._optimizer, state, self._alone)

        return furnish

    def go_on(self, work: Path) -> None:
        """Take up the state of the newest checkpoint in the run's folder, where there is one."""
        states = sorted((work / CHECKPOINTS).glob(f"step-*/{TRAINING}/{STATE}"))
        if states:
            read_state(self._objective, self._optimizer, states[-1], self._alone, 1, 1)
            self.steps = int(states[-1].parts[-3].rpartition("-")[2])

    def write(self, out: Path) -> TeacherFolder:
        """Write the corrected teacher as a checkpoint; every process calls it."""

        def furnish() -> None:
            out.mkdir(parents=True, exist_ok=True)
            add_small_files(self.source.folder)(out)

        self.world.first(furnish)
        model: Any = self._live.model
        write_model(model, out, DTYPES[self.settings.dtype], self.world)
        return TeacherFolder(out, f"{self.source.name}, corrected", self.digest)

    @property
    def _alone(self) -> World:
        return World(self.world.device)


class LearntRows:
    """The rows of a data set, whose batches the teacher learns from first."""

    def __init__(self, rows: TokenRows, learn: Callable[[int, Sequence[Batch]], None]) -> None:
        self.digest, self.order = rows.digest, rows.order
        self._rows, self._learn = rows, learn

    def batches(self, step: int, rank: int, world: int, batch: int, micro: int) -> list[Batch]:
        """The micro-batches of one rank in a step, after the teacher's own step on them."""
        found = self._rows.batches(step, rank, world, batch, micro)
        self._learn(step, found)
        return found
