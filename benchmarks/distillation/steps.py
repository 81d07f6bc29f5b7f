"""One optimizer step of the trainer, and the parts that any has: the teacher's forward, the student's forward and backward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from benchmarks.distillation.memory import Stretch
from benchmarks.distillation.pairs import in_order, opened, packed
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.teacher.live import LiveTeacher
from zoo.distill.train.objective import Objective
from zoo.distill.train.optimizer import make_optimizer
from zoo.distill.train.parallel import spread
from zoo.distill.train.step import clip, take_step
from zoo.distill.train.world import World

RATE = 1e-4


def settings(told: dict[str, Any]) -> TrainSettings:
    """One process, fp32, a constant rate, everything else as the trainer's own."""
    return TrainSettings(
        steps=told["steps"], batch=told["batch"], length=told["length"], micro=told["micro"], rate=RATE, warm_up=0,
        schedule="constant", dtype="float32", parallel="none",
    )  # fmt: skip


class StepJob:
    """The trainer's own step, live teacher. A turn is one step; steps take the rows as they lie."""

    def __init__(self, told: dict[str, Any]) -> None:
        folder = Path(told["pair"])
        self.settings, self.world = settings(told), World(torch.device("cpu"))
        self.rows = packed(Path(told["rows"]), told["vocabulary"])
        self.teacher = LiveTeacher(opened(folder / "teacher"))
        self.objective = Objective(opened(folder / "student"), LossSettings())
        self.module = spread(self.objective, self.settings, self.world)
        self.optimizer = make_optimizer(self.objective, self.settings)
        self.step = 0

    def turn(self, told: dict[str, Any]) -> dict[str, Any]:
        batches = in_order(self.rows, self.step, self.settings.batch, self.settings.micro)
        with Stretch() as stretch:
            lost = take_step(
                self.module, self.optimizer, self.teacher, batches, self.settings, self.world, self.step, RATE
            )
        self.step += 1
        return {**stretch.told(), "loss": lost.loss, "grad_norm": lost.grad_norm, "tokens": lost.tokens}


class PartsJob:
    """The same rows without any loss: transformers' own forward passes with their logits, and a backward pass from a gradient
    on the logits that is there already; then the clipping and the optimizer's step."""

    def __init__(self, told: dict[str, Any]) -> None:
        folder = Path(told["pair"])
        self.settings = settings(told)
        self.rows = packed(Path(told["rows"]), told["vocabulary"])
        self.teacher, self.student = opened(folder / "teacher").eval(), opened(folder / "student").train()
        self.optimizer = make_optimizer(self.student, self.settings)
        shape = (self.settings.micro, self.settings.length, self.student.config.vocab_size)
        self.above = torch.randn(shape) / shape[-1]
        self.step = 0

    def turn(self, told: dict[str, Any]) -> dict[str, Any]:
        batches = in_order(self.rows, self.step, self.settings.batch, self.settings.micro)
        self.step += 1
        with Stretch() as teacher, torch.inference_mode():
            for batch in batches:
                self.teacher(input_ids=batch.ids, position_ids=batch.positions, use_cache=False)
        with Stretch() as student:
            for batch in batches:
                said = self.student(input_ids=batch.ids, position_ids=batch.positions, use_cache=False)
                said.logits.backward(self.above)
        with Stretch() as optimizer:
            clip(self.student, self.settings.clip)
            self.optimizer.step()
            self.optimizer.zero_grad()
        return {"teacher": teacher.told(), "student": student.told(), "optimizer": optimizer.told()}
