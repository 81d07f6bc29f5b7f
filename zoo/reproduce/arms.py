"""The arms of a seed: which student begins with what, learns from whom, on which text, for how long.

All students of one seed have the same teacher, and those of one text the same rows in the same order: a shorter arm takes the
first of them. So two arms differ by what their names say, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.reproduce.scale import Scale

Start = Literal["l2-mean", "mean-mean", "l2-l2", "random-units", "depth", "scratch"]
"""What a student begins with: the teacher cut by width (units by importance, named batch-sequence, or drawn at random), cut by
depth, or the width child's shape with weights drawn at random."""
Loss = Literal["kl", "clm", "clm+kl"]
Text = Literal["own", "shifted"]
"""The teacher's own mixture of documents, or another one."""
Teaching = Literal["teacher", "corrected"]
Optimizer = Literal["adamw", "muon"]
"""adamw: the distillation's own loop. muon: the recipe by which the teacher itself is trained from scratch."""


@dataclass(frozen=True)
class Arm:
    """One student. `share` is how much of the scale's tokens it sees; 0: it is measured as it was cut."""

    start: Start
    loss: Loss = "kl"
    share: float = 1.0
    text: Text = "own"
    taught_by: Teaching = "teacher"
    optimizer: Optimizer = "adamw"

    @property
    def name(self) -> str:
        """What findings and records call it."""
        if self.share == 0:
            return f"{self.start} cut"
        parts = [self.start, self.loss]
        parts += [] if self.optimizer == "adamw" else ["by muon"]
        parts += [] if self.share == 1 else [f"x{self.share:g}"]
        parts += [] if self.text == "own" else [self.text]
        parts += [] if self.taught_by == "teacher" else [f"from {self.taught_by}"]
        return " ".join(parts)


TEACHERS = ("teacher", "corrected")
"""The two models that teach; each is measured on both texts: `teacher`, `teacher shifted`."""
OTHER_LENGTHS = (0.25, 0.5, 2.0, 4.0)
"""Of the distilled student's tokens: each is a whole run with a schedule of its own."""
FROM_SCRATCH = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Of the same tokens: a child from scratch by the teacher's own recipe, the best that is known here."""

ARMS: tuple[Arm, ...] = (
    Arm("l2-mean", share=0),
    Arm("mean-mean", share=0),
    Arm("l2-l2", share=0),
    Arm("random-units", share=0),
    Arm("depth", share=0),
    Arm("l2-mean"),
    Arm("l2-mean", "clm"),
    Arm("l2-mean", "clm+kl"),
    Arm("scratch", "clm"),
    Arm("scratch"),
    Arm("random-units"),
    Arm("depth"),
    Arm("mean-mean"),
    Arm("l2-l2"),
    Arm("l2-mean", text="shifted"),
    Arm("l2-mean", text="shifted", taught_by="corrected"),
    *(Arm("l2-mean", share=share) for share in OTHER_LENGTHS),
    *(Arm("scratch", "clm", share, optimizer="muon") for share in FROM_SCRATCH),
)


def planned_tokens(scale: Scale, arms: Sequence[Arm] = ARMS) -> dict[str, int]:
    """The results that a whole seed leaves, in their order, and the tokens that each is trained on; 0 of those as cut."""
    a_step = scale.batch * scale.length
    teachers = {"teacher": scale.steps(scale.teacher_tokens), "corrected": scale.steps(scale.correction_tokens)}
    students = {arm.name: scale.steps(arm.share * scale.tokens) if arm.share else 0 for arm in arms}
    return {name: steps * a_step for name, steps in (teachers | students).items()}
