"""What a distilled folder says of itself: the content of its minizoo.json, from which its model card is written."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from zoo.distill.request import Correction
from zoo.distill.settings import LossSettings, TrainSettings

PACKAGES = ("torch", "transformers", "safetensors")


@dataclass(frozen=True)
class Named:
    """A checkpoint by its name and the digest of its weights."""

    name: str
    digest: str


@dataclass(frozen=True)
class Text:
    """What was trained on: the words of the command line, the digest of the packed rows, and how often they were seen."""

    sources: tuple[str, ...]
    digest: str
    rows: int
    epochs: float
    overlap: Mapping[str, Any] | None = None
    """n-grams shared with documents of tasks; None where nobody looked."""


@dataclass(frozen=True)
class Way:
    """How the student was trained: by which loss and steps, from a teacher in which form."""

    loss: LossSettings
    train: TrainSettings
    teacher_form: str
    """`live`, `exact cache` or `sampled cache, 64 draws a token`."""
    tokens: int
    recipe: str | None = None
    stated: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    correction: Correction | None = None
    lora: int | None = None


@dataclass(frozen=True)
class Came:
    """What came of it: the step whose weights these are, the last losses, the tasks of each checkpoint, hours."""

    step: int
    steps: int
    loss: float
    first_loss: float
    best_by: str | None = None
    """The tasks by which this step was chosen; None: it is the last."""
    tasks: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict[str, Sequence[tuple[int, float]]])
    seconds: float = 0.0
    processes: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class Distilled:
    """All that the note and the card say."""

    student: Named
    teacher: Named
    parent: str
    """The model that the student was cut from, else the teacher."""
    parameters: int
    text: Text
    way: Way
    came: Came


def note_of(made: Distilled) -> dict[str, Any]:
    """The content of minizoo.json."""
    way = made.way
    return {
        "made_by": "minizoo distill",
        "parent": {"name": made.parent},
        "student": asdict(made.student),
        "teacher": asdict(made.teacher),
        "teacher_form": way.teacher_form,
        "teacher_correction": None if way.correction is None else asdict(way.correction),
        "parameters": made.parameters,
        "tokens": way.tokens,
        "data": {
            "sources": list(made.text.sources),
            "digest": made.text.digest,
            "rows": made.text.rows,
            "epochs": round(made.text.epochs, 4),
            "overlap": made.text.overlap,
        },
        "recipe": way.recipe,
        "stated": list(way.stated),
        "assumed": list(way.assumed),
        "lora": way.lora,
        "loss": asdict(way.loss),
        "training": asdict(way.train),
        "outcome": asdict(made.came),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
