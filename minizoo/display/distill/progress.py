"""What `minizoo distill` shows: how the training goes on, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minizoo.display.progress import StepBar
from minizoo.display.scale import duration
from minizoo.display.steps import Step
from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from zoo.distill.run import DistillOutcome, Watcher
    from zoo.distill.train.metrics import StepMetrics


@dataclass
class TrainStep(Step):
    """The training as a step: beside how far it is, its loss and rate now."""

    words: str = ""

    def told(self, now: float) -> str:
        """`120 of 400 steps, loss 0.1932, 5,412 tokens/s, MFU 41 %, 3 min 46 s left`."""
        done = f"{self.done:,} of {self.of:,} steps"
        rate = (self.done - self.given) / (now - self.began) if now > self.began else 0.0
        left = f"{duration((self.of - self.done) / rate)} left" if rate else f"{duration(now - self.began)} so far"
        return ", ".join(part for part in (done, self.words, left) if part)


class DistillProgress(StepBar):
    """Steps of a distillation; `told` is whether this process of several is the one that `speaks`."""

    def __init__(self, quiet: bool, told: bool = True) -> None:
        super().__init__(quiet)
        self.speaks = told

    def watcher(self) -> Watcher:
        """As a run tells it."""
        from zoo.distill.run import Watcher

        return Watcher(self, self.noted, self.trained)

    def __call__(self, step: str, done: int, of: int, unit: str | None = None) -> None:
        """See `StepBar`; another process than the first shows nothing."""
        if self.speaks:
            super().__call__(step, done, of, unit)

    def noted(self, line: str) -> None:
        """Tell it at once, with --json too: it goes to stderr."""
        if self.speaks:
            note(line)

    def trained(self, name: str, metrics: StepMetrics, steps: int) -> None:
        """A step of the training of that name is over."""
        if not self.speaks:
            return
        if name not in self._steps:
            begun, before = time.monotonic() - metrics.seconds, metrics.step - 1
            self._steps[name] = made = TrainStep(name, steps, "steps", begun, metrics.step, before)
            self._shown.begin(made)
        going = self._steps[name]
        if isinstance(going, TrainStep):
            going.words = told_of(metrics)
        self(name, metrics.step, steps)


def told_of(metrics: StepMetrics) -> str:
    """Loss, tokens a second and MFU of a step, in words."""
    mfu = "" if metrics.mfu is None else f", MFU {100 * metrics.mfu:.0f} %"
    return f"loss {metrics.loss:.4f}, {metrics.tokens_per_s:,.0f} tokens/s{mfu}"


def show_outcome(output: Output, outcome: DistillOutcome) -> None:
    """What was made, its losses, and the tasks of its checkpoints."""
    if output.as_json:
        output.document("distillation", {"out": str(outcome.out), "finished": outcome.finished, **outcome.note})
        return
    if not outcome.finished:
        output.text(f"Stopped after step {outcome.step:,} of {outcome.steps:,} and saved: the same command goes on.")
        return
    came = outcome.note["outcome"]
    rows = [
        ("student", outcome.note["student"]["name"]),
        ("teacher", f"{outcome.note['teacher']['name']}, {outcome.note['teacher_form']}"),
        ("parameters", f"{outcome.note['parameters']:,}"),
        ("steps", f"{came['steps']:,} in {duration(came['seconds'])}"),
        ("loss, nats a token", f"{came['first_loss']:.4f} at first, {came['loss']:.4f} at last"),
        ("weights of step", f"{came['step']:,}" + (f", the best by {came['best_by']}" if came["best_by"] else "")),
    ]
    output.table([Column("of the distillation"), Column("")], rows)
    if came["tasks"]:
        steps = sorted({step for points in came["tasks"].values() for step, _ in points})
        columns = [Column("task"), *(Column(f"step {step}", number=True) for step in steps)]
        values = {name: dict(points) for name, points in came["tasks"].items()}
        output.text()
        output.table(
            columns,
            [
                (name, *(f"{found[step]:.4f}" if step in found else "" for step in steps))
                for name, found in sorted(values.items())
            ],
        )
    output.text(f"Written: {outcome.out}.  Next: minizoo eval --model {outcome.out}")
