"""The teacher fine-tuned on the text before it teaches: a training of its own, resumable, whose result stays in a folder."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

from zoo.checkpoint.locate import open_folder
from zoo.distill.correction import correction_settings
from zoo.distill.request import DistillRequest
from zoo.distill.result.folder import add_small_files, keep_weights
from zoo.distill.settings import LossSettings
from zoo.distill.stages.teaching import TeacherFolder, load_model
from zoo.distill.stages.text import RunText
from zoo.distill.train.loop import TrainOutcome, train
from zoo.distill.train.parallel import DTYPES
from zoo.distill.train.saving.checkpoint import run_identity
from zoo.distill.train.watcher import Watcher
from zoo.distill.train.world import World
from zoo.errors import OtherRun
from zoo.files import json_object
from zoo.prune.write.folder import write_json

MADE_BY = "minizoo.json"


def correct_before(
    request: DistillRequest, source: TeacherFolder, text: RunText, work: Path, world: World, watcher: Watcher
) -> TeacherFolder | TrainOutcome:
    """The corrected teacher in `work`/teacher; where a signal stopped its training, how far that came.

    One that is there is taken as it is. Raises OtherRun for one of another text, teacher or settings, and what `train` raises.
    """
    assert request.correction is not None
    settings = correction_settings(request.train, request.correction)
    loss, out = LossSettings(), work / "teacher"
    identity = run_identity(source.digest, None, text.rows.digest, loss, settings)
    if not world.first(lambda: _is_there(out, identity)):
        model = load_model(source.folder, DTYPES["float32"])
        outcome = train(
            model, None, text.rows, loss, settings, work / "correction",
            student_digest=source.digest,
            world=world,
            watcher=watcher,
            furnish=_furnish(source, identity),
        )  # fmt: skip
        del model
        gc.collect()
        if outcome.stopped is not None:
            return outcome
        world.first(lambda: keep_weights(outcome.last, out))
        world.first(lambda: shutil.rmtree(work / "correction", ignore_errors=True))
    digest = world.first(lambda: open_folder(out).weights_digest())
    return TeacherFolder(out, f"{source.name}, corrected", digest)


def _furnish(source: TeacherFolder, identity: dict[str, Any]) -> Any:
    small = add_small_files(source.folder)

    def furnish(folder: Path) -> None:
        small(folder)
        parent = {"name": source.name, "digest": source.digest}
        write_json(
            folder / MADE_BY, {"made_by": "minizoo distill --correct-teacher", "parent": parent, "run": identity}
        )

    return furnish


def _is_there(out: Path, identity: dict[str, Any]) -> bool:
    if not out.is_dir():
        return False
    if json_object(out / MADE_BY).get("run") != identity:
        raise OtherRun(
            f"{out} is a teacher corrected on other text or by other settings.", "Give another --out, or remove it."
        )
    return True
