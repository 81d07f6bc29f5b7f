"""The options of `minizoo distill` as click gives them, and which of them do not go together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, TypedDict

from zoo.errors import ConflictingOptions, InvalidOption

CACHES = re.compile(r"exact|sampled:([1-9]\d*)")
Correcting = Literal["no", "before", "beside"]
"""Whether the teacher is fine-tuned on the text: not at all, first, or step by step with the student."""


class Choices(TypedDict):
    """The options of `minizoo distill` as click gives them; None is what nobody said."""

    data: tuple[str, ...]
    text_column: str | None
    skip_broken: bool
    tokens: int | None
    recipe: str | None
    out: Path | None
    # the loss
    loss: str
    temperature: float
    clm: float
    states: tuple[str, ...]
    embedding: bool
    # the steps
    batch: int | None
    length: int | None
    micro: int | None
    rate: float | None
    least_rate: float | None
    warm_up: int | None
    seed: int
    dtype: Literal["float32", "bfloat16"] | None
    optimizer: Literal["adamw", "adamw-8bit"]
    lora: int | None
    checkpoint_activations: bool
    parallel: Literal["auto", "none", "ddp", "fsdp"]
    offload: bool
    device: str
    # the teacher
    teacher_cache: Path | None
    cache: str | None
    correct_teacher: Correcting
    correction_tokens: int | None
    correction_rate: float | None
    # checkpoints and tasks
    save_every: int
    keep: int
    eval_every: int
    suite: str | None
    tasks: tuple[str, ...]
    overlap: bool
    drop_overlap: bool
    trackers: tuple[str, ...]
    dry_run: bool


def check_choices(choices: Choices) -> None:
    """Raise ConflictingOptions for options that exclude each other, and where text, output or tasks are missing."""
    if not choices["data"] and not choices["dry_run"]:
        raise ConflictingOptions("There is no text to train on.", "Give --data FILE.")
    if choices["cache"] and choices["teacher_cache"] is None:
        raise ConflictingOptions("--cache says how a cache is made.", "Give --teacher-cache DIR with it.")
    if choices["eval_every"] and not (choices["suite"] or choices["tasks"]):
        raise ConflictingOptions("--eval-every needs tasks to measure.", "Give --suite S or --tasks A,B.")
    if choices["suite"] and choices["tasks"]:
        raise ConflictingOptions("--suite and --tasks both say what is measured.", "Give one of them.")
    if choices["drop_overlap"] and not choices["overlap"]:
        raise ConflictingOptions("--drop-overlap and --no-overlap exclude each other.", "Give one of them.")
    _check_teacher(choices)
    if choices["offload"]:
        _check_offload(choices)
    if choices["out"] is None and not choices["dry_run"]:
        raise ConflictingOptions("There is nowhere to write to.", "Give --out DIR.")


def _check_teacher(choices: Choices) -> None:
    """What a corrected teacher and a cached one exclude."""
    when = choices["correct_teacher"]
    if when == "no" and (choices["correction_tokens"] or choices["correction_rate"]):
        raise ConflictingOptions(
            "The correction's tokens and rate go with a correction.", "Give --correct-teacher before or beside."
        )
    if when == "beside" and choices["teacher_cache"]:
        raise ConflictingOptions(
            "A teacher that changes with every step cannot be cached.", "Give --correct-teacher before."
        )
    if draws_of(choices["cache"]) and (choices["loss"] != "kl" or choices["states"] or choices["embedding"]):
        raise ConflictingOptions(
            "Sampled targets give forward KL on logits alone: they hold no other distribution and no states.",
            "Give --cache exact, or leave --loss, --states and --embedding away.",
        )


def _check_offload(choices: Choices) -> None:
    """What the host's memory excludes."""
    if choices["parallel"] in ("none", "ddp"):
        raise ConflictingOptions(
            f"--offload is a part of fsdp, and --parallel {choices['parallel']} keeps weights whole on the device.",
            "Leave --parallel away: one process is enough.",
        )
    if choices["optimizer"] != "adamw":
        raise ConflictingOptions(
            "--optimizer adamw-8bit saves memory of the device, where --offload leaves no moments.", "Give one of them."
        )
    if choices["correct_teacher"] == "beside":
        raise ConflictingOptions(
            "A teacher that is corrected beside the student is whole on its device.", "Give --correct-teacher before."
        )


def draws_of(word: str | None) -> int | None:
    """Draws a token of a `--cache` of that form; None for exact hidden states. Raises InvalidOption for a word of neither."""
    found = CACHES.fullmatch(word or "exact")
    if found is None:
        raise InvalidOption(f"There is no --cache {word}.", "Give exact, or sampled:K such as sampled:64.")
    return int(found[1]) if found[1] else None
