"""What a finished run says of itself, from its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from zoo.distill.request import DistillRequest
from zoo.distill.result.folder import Finished
from zoo.distill.result.note import Came, Distilled, Named, Text, Way
from zoo.distill.stages.pair import Pair
from zoo.distill.stages.teaching import TeacherFolder
from zoo.distill.stages.text import RunText, overlap_told
from zoo.distill.train.world import World


def told(
    request: DistillRequest, pair: Pair, text: RunText, teacher: TeacherFolder, digest: str, form: str,
    finished: Finished, world: World, parameters: int,
) -> Distilled:  # fmt: skip
    """All that the note and the card say; `digest` is of the student before the run, `form` the teacher's."""
    words = _text(text, request.drop_overlap)
    student = Named(pair.student.name, digest)
    named = Named(teacher.name, teacher.digest)
    parent = pair.student.ref.parent or pair.teacher.name
    return Distilled(student, named, parent, parameters, words, _way(request, form), _came(request, finished, world))


def _text(text: RunText, dropped: bool) -> Text:
    overlap = None if text.overlap is None else overlap_told(text.overlap, dropped)
    return Text(text.names, text.rows.digest, len(text.rows), text.epochs, overlap)


def _way(request: DistillRequest, form: str) -> Way:
    advice = request.advice
    return Way(
        request.loss,
        request.train,
        form,
        request.tokens,
        request.recipe.student if request.recipe else None,
        advice.stated if advice else (),
        advice.assumed if advice else (),
        request.correction,
        request.lora,
    )


def _came(request: DistillRequest, finished: Finished, world: World) -> Came:
    outcome, steps = finished.outcome, finished.steps
    best = None
    if outcome.best is not None:
        best = f"suite {request.suite}" if request.suite else f"tasks {', '.join(request.tasks)}"
    return Came(
        step=step_of(finished.chosen.name),
        steps=outcome.steps,
        loss=_loss(steps[-1:]),
        first_loss=_loss(steps[:1]),
        best_by=best,
        tasks=finished.tasks,
        seconds=round(outcome.elapsed, 1),
        processes=world.size,
        device=_device(world),
    )


def step_of(checkpoint: str) -> int:
    """The steps before a checkpoint, from its folder's name.

    >>> step_of("step-00000120")
    120
    """
    return int(checkpoint.rpartition("-")[2])


def _loss(steps: Sequence[Mapping[str, Any]]) -> float:
    return float(steps[0]["loss"]) if steps else float("nan")


def _device(world: World) -> str:
    return torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else "CPU"
