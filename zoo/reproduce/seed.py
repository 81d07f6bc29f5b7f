"""One seed: its teacher from scratch, then every arm, each left as a file. Stopped anywhere, the same call goes on.

teacher ─┬─ as cut, every way
         ├─ students, by loss, by what they began with, by how long
         └─ corrected on other text ── students on that text
"""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.stages.teaching import load_model
from zoo.distill.teacher.live import LiveTeacher
from zoo.distill.train.loop import train
from zoo.errors import LossNotFinite
from zoo.files import publish_folder, write_atomically
from zoo.reproduce.arms import ARMS, TEACHERS, Arm, Start, Teaching, Text
from zoo.reproduce.measuring import held_out_losses
from zoo.reproduce.models import cut, drawn
from zoo.reproduce.record import ArmResult, Losses, path_of, read_result, write_result
from zoo.reproduce.scale import Scale
from zoo.reproduce.scratch import train_from_scratch
from zoo.reproduce.text import SeedTexts, stream_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Told = Callable[[str], None]
TEXTS: tuple[Text, ...] = ("own", "shifted")


class StoppedBySignal(Exception):
    """A training was asked to stop, and has kept what it did so far."""


def run_seed(
    seed: int, scale: Scale, folder: Path, told: Told = lambda _name: None, arms: Sequence[Arm] = ARMS
) -> None:
    """Compute what is missing of a seed in `folder`; `told` hears each arm as it is written.

    SIGINT and SIGTERM during a training save it and raise StoppedBySignal; a kill loses one arm at most. A training that
    diverges is written down as such, with all that needed its model. Two processes must not share a folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.use_deterministic_algorithms(True)
    run = _Seed(seed, scale, folder)
    for name in TEACHERS:
        run.once(name, lambda name=name: run.teach(name), told)
    for arm in arms:
        run.once(arm.name, lambda arm=arm: run.student(arm), told)
    shutil.rmtree(folder / "work", ignore_errors=True)


@dataclass(frozen=True)
class _Made:
    """A model, what it lost, and the tokens that it was trained on."""

    losses: dict[str, Losses]
    parameters: int
    tokens: int


class _Seed:
    def __init__(self, seed: int, scale: Scale, folder: Path) -> None:
        self.seed, self.scale, self.folder = seed, scale, folder
        self.work = folder / "work"
        self.texts = SeedTexts(seed, scale)
        self._held: dict[Text, list[list[int]]] = {}
        self._cuts: dict[Start, PreTrainedModel] = {}

    def once(self, name: str, make: Callable[[], _Made], told: Told) -> None:
        """Write the result of `make`, unless there is one."""
        if read_result(self.folder, name, self.scale.digest) is not None:
            return
        wall, cpu, diverged = time.monotonic(), time.process_time(), None
        try:
            made = make()
        except LossNotFinite as error:
            made, diverged = _Made({}, 0, 0), error.what
            shutil.rmtree(self._place(name), ignore_errors=True)
        cpu, wall = round(time.process_time() - cpu, 2), round(time.monotonic() - wall, 2)
        result = ArmResult(name, self.seed, made.losses, made.parameters, made.tokens, cpu, wall, diverged)
        write_result(self.folder, result, self.scale.digest)
        shutil.rmtree(self._place(name), ignore_errors=True)
        told(name)

    def teach(self, name: str) -> _Made:
        """The teacher from scratch, or corrected on the students' shifted text; its checkpoint stays in the folder."""
        scale = self.scale
        if name == "teacher":
            model = drawn(scale, stream_of(self.seed, "teacher's weights"))
            seen = train_from_scratch(model, self.texts.teacher_rows, scale, scale.teacher_tokens)
        else:
            model = self._teacher("teacher")
            tokens, rate = scale.correction_tokens, scale.rates.correction
            seen = self._train(name, model, None, self.texts.student_rows("shifted"), LossSettings(), tokens, rate)
        losses = {text: held_out_losses(model, self._held_out(text)) for text in TEXTS}
        partial = self.work / f"{name} finished"
        shutil.rmtree(partial, ignore_errors=True)
        model.save_pretrained(partial)
        shutil.rmtree(self.folder / name, ignore_errors=True)
        publish_folder(partial, self.folder / name)
        return _Made(losses, model.num_parameters(), seen)

    def student(self, arm: Arm) -> _Made:
        """A student, trained as its arm says and measured on its own text."""
        scale = self.scale
        model = self._begun(arm.start)
        seen = 0
        tokens = round(arm.share * scale.tokens)
        if arm.optimizer == "muon":
            seen = train_from_scratch(model, self.texts.student_rows(arm.text), scale, tokens)
        elif arm.share > 0:
            teacher = None if arm.loss == "clm" else LiveTeacher(self._teacher(arm.taught_by), digest=arm.taught_by)
            loss = LossSettings(clm=1.0 if arm.loss == "clm+kl" else 0.0)
            rate = scale.rates.scratch if arm.start == "scratch" else scale.rates.pruned
            seen = self._train(arm.name, model, teacher, self.texts.student_rows(arm.text), loss, tokens, rate)
        losses = {arm.text: held_out_losses(model, self._held_out(arm.text))}
        return _Made(losses, model.num_parameters(), seen)

    def _train(
        self, name: str, model: Any, teacher: LiveTeacher | None, rows: Any, loss: LossSettings, tokens: int, rate: float
    ) -> int:  # fmt: skip
        """Train in place; returns the tokens of the rows that were seen."""
        scale = self.scale
        steps = scale.steps(tokens)
        settings = TrainSettings(
            steps=steps, batch=scale.batch, length=scale.length, micro=scale.batch, rate=rate,
            least_rate=rate * scale.rates.least_share, warm_up=min(scale.warm_up, steps // 5), dtype="float32",
            seed=stream_of(self.seed, "training"), keep=1, parallel="none",
        )  # fmt: skip
        place = self._place(name)
        outcome = train(model, teacher, rows, loss, settings, place, student_digest=f"{name} of seed {self.seed}")
        if outcome.stopped is not None:
            raise StoppedBySignal(outcome.stopped)
        return steps * scale.batch * scale.length

    def _begun(self, start: Start) -> PreTrainedModel:
        """What a student begins with: another copy each time."""
        if start == "scratch":
            return drawn(self.scale, stream_of(self.seed, "child's weights"), child=True)
        self._check("teacher")
        if start not in self._cuts:
            self.work.mkdir(exist_ok=True)
            calibration = self.texts.calibration(self.work)
            dice = stream_of(self.seed, "units")
            model, plan = cut(self.scale, start, self.folder / "teacher", calibration, dice, self.work / "cut")
            write_atomically(path_of(self.folder, f"{start} plan"), plan.text().encode())
            self._cuts[start] = model
        return copy.deepcopy(self._cuts[start])

    def _teacher(self, which: Teaching) -> PreTrainedModel:
        self._check(which)
        return load_model(self.folder / which, torch.float32)

    def _check(self, which: str) -> None:
        """Raise LossNotFinite where this teacher diverged: nothing can be learnt from it."""
        found = read_result(self.folder, which, self.scale.digest)
        if found is not None and found.diverged is not None:
            raise LossNotFinite(f"Its teacher diverged ({found.diverged}).")

    def _held_out(self, text: Text) -> list[list[int]]:
        if text not in self._held:
            self._held[text] = self.texts.held_out(text)
        return self._held[text]

    def _place(self, name: str) -> Path:
        """Where an arm's training keeps itself while it is under way."""
        return self.work / name.replace(" ", "_")
