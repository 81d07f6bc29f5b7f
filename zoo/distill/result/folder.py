"""The folder that a finished distillation leaves, put together beside its final name and renamed once it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.checkpoint.locate import open_folder
from zoo.checkpoint.small_files import small_files
from zoo.distill.result.card import model_card
from zoo.distill.result.note import Distilled, note_of
from zoo.distill.train.loop import EVALUATIONS, METRICS, TrainOutcome
from zoo.distill.train.saving.checkpoint import TRAINING
from zoo.files import publish_folder
from zoo.prune.write.folder import write_json

Draw = Callable[[Sequence[Mapping[str, Any]], Mapping[str, Sequence[tuple[int, float]]], str], str]
"""Takes the steps of metrics.jsonl, (step, value) by task, and a caption; gives the picture as SVG."""
PICTURE, LAST, TEACHER, LOGS = "losses.svg", "last", "teacher", "logs"


@dataclass(frozen=True)
class Finished:
    """What the folder is made of: the run's folder and outcome, and a corrected teacher where there is one."""

    home: Path
    outcome: TrainOutcome
    steps: Sequence[Mapping[str, Any]]
    corrected: Path | None = None
    overlap: Path | None = None
    """The file that says what the text shares with tasks."""

    @property
    def chosen(self) -> Path:
        """The checkpoint that is the result: the best by task, else the last."""
        return self.outcome.best or self.outcome.last

    @property
    def tasks(self) -> dict[str, list[tuple[int, float]]]:
        """(step, value) by task."""
        found: dict[str, list[tuple[int, float]]] = {}
        for step, measured in sorted(self.outcome.evaluations.items()):
            for task, value in measured.tasks.items():
                found.setdefault(task, []).append((step, value))
        return found


def publish(finished: Finished, made: Distilled, out: Path, draw: Draw) -> dict[str, Any]:
    """Write the folder `out`; returns the content of its minizoo.json.

    It has the chosen checkpoint, its note, card and picture, metrics.jsonl; in `last/` the last checkpoint where another is
    the best, in `teacher/` a corrected teacher, in `logs/` what trackers wrote. Weights are linked, not copied, where the
    file system can.
    """
    partial = out.parent / f".{out.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    _link(finished.chosen, partial)
    if finished.chosen != finished.outcome.last:
        _link(finished.outcome.last, partial / LAST)
    if finished.corrected is not None:
        _link(finished.corrected, partial / TEACHER)
    for file in (finished.home / METRICS, finished.home / EVALUATIONS, finished.overlap):
        if file is not None and file.is_file():
            shutil.copyfile(file, partial / file.name)
    if (finished.home / LOGS).is_dir():
        _link(finished.home / LOGS, partial / LOGS)
    note = {**note_of(made), "weights_digest": open_folder(finished.chosen).weights_digest()}
    write_json(partial / "minizoo.json", note)
    (partial / "README.md").write_text(model_card(made), "utf-8")
    caption = f"{made.student.name} distilled from {made.teacher.name}"
    (partial / PICTURE).write_text(draw(finished.steps, finished.tasks, caption), "utf-8")
    publish_folder(partial, out)
    return note


def add_small_files(model: Path) -> Callable[[Path], None]:
    """A function that gives a folder of weights what goes with them: the model's tokenizer and generation settings."""

    def furnish(folder: Path) -> None:
        for path in small_files(model):
            copy = folder / path.relative_to(model)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)

    return furnish


def keep_weights(checkpoint: Path, out: Path) -> None:
    """Make `out` the checkpoint without its training state, at once: a name that is there is whole."""
    partial = out.parent / f".{out.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    _link(checkpoint, partial)
    publish_folder(partial, out)


def _link(source: Path, target: Path) -> None:
    """A copy of a folder without its training state, by hard links where they can be made."""
    shutil.copytree(source, target, ignore=lambda *_: [TRAINING], copy_function=_linked)


def _linked(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
    return target
