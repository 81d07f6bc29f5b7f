"""What a distillation is asked to do, as one frozen value made from the command line's options."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zoo.distill.choices import Choices, check_choices, draws_of
from zoo.distill.recipes import Advice, Recipe, advise, correction_rate, recipe, steps_of
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.errors import ConflictingOptions, InvalidOption, OutputExists

BATCH, LENGTH = 32, 1024
"""Rows a step, and tokens a row at most, where neither option nor recipe says: 32,768 tokens, a size for one machine."""
WARM_UP_SHARE = 0.05
"""Of a run without a recipe: so much of its steps, at most the 40 of TrainSettings."""
CORRECTION_SHARE, CORRECTION_WARM_UP = 1 / 5, 120
"""arXiv 2408.11796, teacher correction: a fifth of the parent's peak rate, 120 steps of warm-up."""
LOSSES: dict[str, Literal["forward_kl", "reverse_kl"]] = {"kl": "forward_kl", "reverse-kl": "reverse_kl"}
STATES = re.compile(r"(\d+):(\d+)")


@dataclass(frozen=True)
class Correction:
    """How the teacher is fine-tuned on the distillation set."""

    when: Literal["before", "beside"]
    tokens: int
    rate: float
    told: str
    """How the rate came about."""
    micro: int | None = None
    """Rows computed at once; None: as many as of the student's."""


@dataclass(frozen=True)
class DistillRequest:
    """Which student learns from which teacher, on what text, by which loss and steps, and where it is written."""

    student: str
    teacher: str
    data: tuple[str, ...]
    tokens: int
    out: Path | None
    loss: LossSettings
    train: TrainSettings
    text_column: str | None = None
    skip_broken: bool = False
    recipe: Recipe | None = None
    advice: Advice | None = None
    length_asked: bool = False
    """Whether option or recipe names the tokens a row; else the models' contexts may shorten them."""
    micro_asked: bool = False
    dtype_asked: bool = False
    lora: int | None = None
    device: str = "auto"
    teacher_cache: Path | None = None
    sampled: int | None = None
    """Draws a token of a sampled cache; None: exact hidden states."""
    correction: Correction | None = None
    suite: str | None = None
    tasks: tuple[str, ...] = ()
    overlap: bool = True
    """Whether documents of tasks are looked for in the text."""
    drop_overlap: bool = False
    trackers: tuple[str, ...] = ()
    """Names of accelerate's trackers that are told of every step."""

    @property
    def cache(self) -> str | None:
        """The form of the teacher's cache, as the command line has it; None: the teacher is in memory."""
        if self.teacher_cache is None:
            return None
        return "exact" if self.sampled is None else f"sampled:{self.sampled}"

    @property
    def measures(self) -> bool:
        """Whether tasks are scored on the way."""
        return bool(self.suite or self.tasks)

    def over(self, length: int) -> DistillRequest:
        """The same with rows of this length, and the steps that its tokens then take."""
        steps = steps_of(self.tokens, self.train.batch, length)
        return replace(self, train=replace(self.train, length=length, steps=steps))


def parse_request(student: str | None, teacher: str | None, choices: Choices) -> DistillRequest:
    """The request of a command line; a recipe brings the student and the teacher that are not named.

    Raises ConflictingOptions for options that do not go together, InvalidOption for one that cannot be, and what `recipe`
    raises.
    """
    check_choices(choices)
    run = recipe(choices["recipe"]) if choices["recipe"] else None
    tokens = choices["tokens"] or (run.tokens if run else None)
    if tokens is None:
        raise ConflictingOptions("How much text is trained on is not said.", "Give --tokens N, or --recipe MODEL.")
    if run is None and (student is None or teacher is None):
        raise ConflictingOptions("A distillation has a student and a teacher.", "Give --student and --teacher.")
    advice = advise(run, tokens) if run else None
    train = _train(choices, tokens, advice.train if advice else None)
    return DistillRequest(
        student=student or (run.student if run else ""),
        teacher=teacher or (run.teacher if run else ""),
        data=choices["data"],
        tokens=tokens,
        out=choices["out"],
        loss=_loss(choices),
        train=train,
        text_column=choices["text_column"],
        skip_broken=choices["skip_broken"],
        recipe=run,
        advice=advice,
        length_asked=bool(run or choices["length"]),
        micro_asked=choices["micro"] is not None,
        dtype_asked=choices["dtype"] is not None,
        lora=choices["lora"],
        device=choices["device"],
        teacher_cache=choices["teacher_cache"],
        sampled=draws_of(choices["cache"]),
        correction=_correction(choices, run, train, tokens),
        suite=choices["suite"],
        tasks=choices["tasks"],
        overlap=choices["overlap"],
        drop_overlap=choices["drop_overlap"],
        trackers=choices["trackers"],
    )


def check_out(out: Path | None) -> Path:
    """The folder to write. Raises ConflictingOptions where there is none, OutputExists where it is there."""
    if out is None:
        raise ConflictingOptions("There is nowhere to write to.", "Give --out DIR.")
    if out.exists():
        raise OutputExists(f"{out} is already there.", "Give another --out, or remove it first.")
    return out


def _train(choices: Choices, tokens: int, advised: TrainSettings | None) -> TrainSettings:
    """The recipe's steps, else minizoo's, with what the options say of them."""
    batch = choices["batch"] or (advised.batch if advised else BATCH)
    length = choices["length"] or (advised.length if advised else LENGTH)
    steps = steps_of(tokens, batch, length)
    base = advised or TrainSettings(steps, batch, length)
    if advised is None:
        base = replace(base, warm_up=min(base.warm_up, round(steps * WARM_UP_SHARE)))
    given: dict[str, Any] = {
        name: choices[name] for name in ("micro", "rate", "least_rate", "warm_up", "dtype") if choices[name] is not None
    }
    settings = replace(
        base,
        **{"steps": steps, "batch": batch, "length": length, **given},
        seed=choices["seed"],
        optimizer=choices["optimizer"],
        checkpoint_activations=choices["checkpoint_activations"],
        parallel=choices["parallel"],
        offload=choices["offload"],
        save_every=choices["save_every"],
        eval_every=choices["eval_every"],
        keep=choices["keep"],
    )
    if choices["least_rate"] is None and settings.least_rate > settings.rate:
        settings = replace(settings, least_rate=settings.rate / 10)
    if settings.least_rate > settings.rate:
        raise InvalidOption(
            f"The least rate {settings.least_rate:g} is above the peak rate {settings.rate:g}.", "Give a smaller one."
        )
    return settings


def _loss(choices: Choices) -> LossSettings:
    return LossSettings(
        divergence=LOSSES[choices["loss"]],
        temperature=choices["temperature"],
        clm=choices["clm"],
        states=tuple(_pair(word) for word in choices["states"]),
        embedding=choices["embedding"],
    )


def _pair(word: str) -> tuple[int, int]:
    found = STATES.fullmatch(word)
    if found is None:
        raise InvalidOption(f"--states {word} names no layers.", "E.g. --states 29:13, teacher's layer first.")
    return int(found[1]), int(found[2])


def _correction(choices: Choices, run: Recipe | None, train: TrainSettings, tokens: int) -> Correction | None:
    when = choices["correct_teacher"]
    if when == "no":
        return None
    published = correction_rate(run) if run else None
    rate, told = published or (
        train.rate * CORRECTION_SHARE,
        "a fifth of the student's peak rate; arXiv 2408.11796 takes a fifth of the teacher's own, which is not known here",
    )
    if choices["correction_rate"] is not None:
        rate, told = choices["correction_rate"], "as asked"
    return Correction(when, choices["correction_tokens"] or tokens, rate, told)
