"""The published retraining runs, one small function each: their hyper-parameters literal, each beside where it is printed.

Teacher and student come from the registry's lineage and are not repeated here. What a paper does not say is None, and `advise`
takes minizoo's default for it and names that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from zoo.distill.settings import LossSettings, TrainSettings
from zoo.errors import NoRecipe
from zoo.names import unknown
from zoo.registry.loader import load_registry

P1 = "arXiv 2407.14679"
P2 = "arXiv 2408.11796"
PRINTED = ("batch", "length", "rate", "least_rate", "warm_up", "schedule")
"""What Table 4 of the second paper prints."""


@dataclass(frozen=True)
class Correction:
    """Fine-tuning of the teacher on the distillation set first, with the plain language-model loss.

    Its rate is a share of the teacher's own peak rate in pre-training, its batch and decay are that pre-training's too. None of
    those three is printed with the share.
    """

    tokens: int
    warm_up: int = 120
    rate_share: float = 1 / 5
    parent_rate: float | None = None
    where: str = f"{P2}, on teacher correction"


@dataclass(frozen=True)
class Recipe:
    """A published retraining run. A batch is counted in rows of `length` tokens; None is what the paper does not say.

    `where` says of a field where its figure is printed; `loss_where` where the loss was chosen.
    """

    student: str
    tokens: int
    batch: int
    length: int
    rate: float | None = None
    least_rate: float | None = None
    warm_up: int | None = None
    schedule: Literal["cosine", "constant"] | None = None
    betas: tuple[float, float] | None = None
    weight_decay: float | None = None
    clip: float | None = None
    loss: LossSettings = field(default_factory=LossSettings)
    loss_where: str = f"{P1} Tables 15, 16 and 18, best practices 5 and 7: forward KL on logits alone, τ = 1"
    correction: Correction | None = None
    hardware: str | None = None
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()

    @property
    def teacher(self) -> str:
        """The registry id of the published teacher: where the paper corrected it, the corrected one."""
        lineage = load_registry().models[self.student].lineage
        named = None if lineage is None else lineage.teacher or lineage.parent
        if named is None:
            raise NoRecipe(f"registry.yaml names no teacher of {self.student}.", "Give --teacher instead of --recipe.")
        return named

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run; no paper prints them."""
        return steps_of(self.tokens, self.batch, self.length)


@dataclass(frozen=True)
class Advice:
    """What a run by a recipe is told to do, and in words what of it the paper says and what it leaves open."""

    loss: LossSettings
    train: TrainSettings
    stated: tuple[str, ...]
    assumed: tuple[str, ...]


def steps_of(tokens: int, batch: int, length: int) -> int:
    """Optimizer steps that come nearest to `tokens`, at least one.

    >>> steps_of(94_000_000_000, 1152, 8192)
    9961
    """
    return max(1, round(tokens / (batch * length)))


def recipe(student: str) -> Recipe:
    """The recipe of a registry model by any of its names. Raises UnknownModel, and NoRecipe for a model without one."""
    model = load_registry().resolve(student)
    listing = f"Recipes: {', '.join(RUNS)}. For any other student leave --recipe away and give the settings."
    if model.id in RUNS:
        return RUNS[model.id]()
    if model.lineage is None or "distilled" not in model.lineage.relation:
        raise NoRecipe(f"{model.id} was not made by distillation.", listing)
    raise unknown(NoRecipe, "recipe", model.id, RUNS, listing)


def advise(run: Recipe, tokens: int | None = None, base: TrainSettings | None = None) -> Advice:
    """Settings by the recipe over `tokens` (its own number where None); what it leaves open is taken from `base`.

    Without `base` that is minizoo's default, the defaults of TrainSettings.
    """
    steps = steps_of(run.tokens if tokens is None else tokens, run.batch, run.length)
    train = replace(
        base or TrainSettings(steps, run.batch, run.length), steps=steps, batch=run.batch, length=run.length
    )
    figures = {name: getattr(run, name) for name in OPEN}
    train = replace(train, **{name: figure for name, figure in figures.items() if figure is not None})
    stated = [_told(name, getattr(run, name), run.where.get(name)) for name in STATED if _says(run, name)]
    assumed = [f"{OPEN[name]} {_plain(getattr(train, name))}" for name, figure in figures.items() if figure is None]
    default = "the settings given" if base else "minizoo's default"
    told = tuple(f"{words}: the paper does not say; {default}" for words in assumed)
    return Advice(run.loss, train, (*stated, f"loss: {run.loss_where}"), told)


def correction_rate(run: Recipe) -> tuple[float, str] | None:
    """The peak rate of the teacher's correction and how it came about; None for a run whose teacher was not corrected.

    Where the teacher's own peak rate is not printed, the default is the share of the student's.
    """
    correction = run.correction
    if correction is None:
        return None
    own, student = correction.parent_rate, run.rate or TrainSettings(1, 1, 1).rate
    rate = correction.rate_share * (own or student)
    whose = (
        "the teacher's peak rate" if own else "the student's peak rate, since the paper does not print the teacher's"
    )
    return rate, f"{correction.rate_share:g} of {whose} ({correction.where})"


def minitron_8b() -> Recipe:
    """Nemotron-4 15B → Minitron 8B (arXiv 2407.14679)."""
    return _first_paper("minitron-8b")


def minitron_4b() -> Recipe:
    """Nemotron-4 15B → Minitron 4B, which was cut from Minitron 8B (arXiv 2407.14679)."""
    return _first_paper("minitron-4b")


def llama_width() -> Recipe:
    """Llama-3.1 8B, corrected → 4B Width (arXiv 2408.11796 Table 4)."""
    return _llama("llama-3.1-minitron-4b-width")


def llama_depth() -> Recipe:
    """Llama-3.1 8B, corrected → 4B Depth (arXiv 2408.11796 Table 4)."""
    return _llama("llama-3.1-minitron-4b-depth")


def mistral_nemo_8b() -> Recipe:
    """Mistral-NeMo 12B, corrected → 8B (arXiv 2408.11796 Table 4)."""
    return Recipe(
        "mistral-nemo-minitron-8b",
        tokens=380_000_000_000,
        batch=768,
        length=8192,
        rate=1e-4,
        least_rate=4.5e-7,
        warm_up=60,
        schedule="cosine",
        correction=Correction(tokens=127_000_000_000),
        hardware="32 DGX H100",
        where=dict.fromkeys(PRINTED, f"{P2} Table 4") | {"tokens": f"{P2} Table 1"},
        notes=("Correction of the teacher: Figure 1 prints 127B tokens, the text ∼100B.",),
    )


def _first_paper(student: str) -> Recipe:
    """Both models of the first paper were retrained alike."""
    printed = f"{P1}, in the text"
    return Recipe(
        student,
        tokens=94_000_000_000,
        batch=1152,
        length=4096,
        rate=2e-4,
        least_rate=4.5e-7,
        schedule="cosine",
        hardware="16 DGX A100",
        where={
            "tokens": printed,
            "batch": printed,
            "length": printed,
            "rate": f"{printed}, printed 2^-4 and read as 2e-4",
            "least_rate": f"{printed}, printed 4.5^-7 and read as 4.5e-7",
            "schedule": printed,
        },
        notes=("The text says \"as Nemotron-4\" of the optimizer, whose betas, decay and clipping it does not print.",),
    )  # fmt: skip


def _llama(student: str) -> Recipe:
    """Width and Depth were retrained alike."""
    return Recipe(
        student,
        tokens=94_000_000_000,
        batch=1152,
        length=8192,
        rate=1e-4,
        least_rate=1e-5,
        warm_up=40,
        schedule="cosine",
        correction=Correction(tokens=100_000_000_000),
        hardware="32 DGX H100",
        where=dict.fromkeys(PRINTED, f"{P2} Table 4") | {"tokens": f"{P2} Table 1"},
        notes=("Correction of the teacher: the text prints ∼100B tokens.",),
    )


RUNS: dict[str, Callable[[], Recipe]] = {
    "minitron-8b": minitron_8b,
    "minitron-4b": minitron_4b,
    "llama-3.1-minitron-4b-width": llama_width,
    "llama-3.1-minitron-4b-depth": llama_depth,
    "mistral-nemo-minitron-8b": mistral_nemo_8b,
}

OPEN: dict[str, str] = {
    "rate": "peak rate",
    "least_rate": "least rate",
    "warm_up": "warm-up steps",
    "schedule": "schedule",
    "betas": "betas of AdamW",
    "weight_decay": "weight decay",
    "clip": "gradient clipping at norm",
}
"""What a paper may leave open, in words."""
STATED = {"tokens": "tokens", "batch": "rows a step", "length": "tokens a row"} | OPEN


def _says(run: Recipe, name: str) -> bool:
    return getattr(run, name) is not None


def _told(name: str, figure: object, where: str | None) -> str:
    return f"{STATED[name]} {_plain(figure)}" + (f" ({where})" if where else "")


def _plain(figure: object) -> str:
    if isinstance(figure, int):
        return f"{figure:,}"
    if isinstance(figure, tuple):
        return " and ".join(f"{each:g}" for each in figure)
    return f"{figure:g}" if isinstance(figure, float) else str(figure)
