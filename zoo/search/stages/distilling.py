"""Candidates learn from a teacher in a file, so many steps at a time; each leaves its losses on held-out documents."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.distill.batch import Teacher
from zoo.distill.request import DistillRequest
from zoo.distill.settings import LossSettings
from zoo.distill.stages.teaching import TeacherFolder, load_model, open_teacher
from zoo.distill.stages.text import RunText
from zoo.distill.train.loop import train
from zoo.distill.train.metrics import StepMetrics
from zoo.distill.train.parallel import DTYPES
from zoo.distill.train.watcher import Watcher
from zoo.distill.train.world import World
from zoo.errors import LossNotFinite
from zoo.files import json_object, write_atomically
from zoo.prune.parent import Parent
from zoo.prune.plan import Plan
from zoo.prune.progress import ProgressCallback
from zoo.search.settings import Training
from zoo.search.stages.cutting import cut
from zoo.search.stages.held_out import HeldOut, document_losses
from zoo.search.stages.text import SearchText
from zoo.search.stopping import Losses

SCHEMA = "minizoo.search-losses/1"
LOSS = LossSettings()
"""KL on logits alone (arXiv 2407.14679, practice 5)."""


class StoppedBySignal(Exception):
    """A signal came while a candidate was trained; its name is the argument."""


@dataclass(frozen=True)
class Learnt:
    """What a candidate came to after some steps: Σ −log p of each held-out document, or why there is none."""

    step: int
    nll: Losses | None
    diverged: str | None = None


@dataclass(frozen=True)
class School:
    """All that candidates have in common: the text, the teacher and its file, the training, where it runs."""

    text: SearchText
    teacher: TeacherFolder
    cache: Path
    training: Training
    world: World
    sampled: int | None = None
    progress: ProgressCallback | None = None
    stepped: Callable[[str, StepMetrics, int], None] = lambda _name, _metrics, _steps: None
    _taught: dict[tuple[int, int], Teacher] = field(default_factory=dict[tuple[int, int], Teacher])

    def taught(self, seed: int, steps: int) -> Teacher:
        """The teacher as a file that has all rows of so many steps in the order of that seed; made as far as it is not.

        While it is made the teacher is in memory, afterwards it is not. Raises CacheOfOther… for a cache of another teacher,
        text or form, and what `write_cache` raises.
        """
        if (seed, steps) not in self._taught:
            self._taught.clear()
            settings = self.training.settings(seed, steps)
            request = DistillRequest(
                student="",
                teacher=self.teacher.name,
                data=self.text.names,
                tokens=self.training.tokens_at(steps),
                out=None,
                loss=LOSS,
                train=settings,
                teacher_cache=self.cache,
                sampled=self.sampled,
            )
            rows = self.text.in_order(seed)
            run_text = RunText(rows, self.text.sources, rows.epochs(steps, self.training.batch))
            teacher, _ = open_teacher(request, self.teacher, run_text, self.world, self.progress)
            self._taught[seed, steps] = teacher
        return self._taught[seed, steps]

    def pruned(self, folder: Path, held_out: HeldOut) -> Losses:
        """Losses of a checkpoint as it is."""
        model = load_model(folder, DTYPES[self.training.dtype])
        return document_losses(model, held_out, str(self.world.device))


@dataclass(frozen=True)
class Pupil:
    """A candidate in training: its name in progress, the folder of its weights and losses, the plan by which it is cut from
    the parent, the seed of its data's order."""

    name: str
    folder: Path
    plan: Plan
    parent: Parent
    seed: int

    def learnt(self, school: School, held_out: HeldOut, step: int) -> Learnt:
        """Train to a step, from where it is, and measure.

        What was measured before is read. Raises StoppedBySignal, and what `train` raises but LossNotFinite: that is what
        became of the candidate.
        """
        file = self.folder / f"losses-{step:06d}.json"
        digest = self.plan.digest()
        kept = _read(file, digest, step)
        if kept is not None:
            return kept
        self.folder.mkdir(parents=True, exist_ok=True)
        found = self._train(school, held_out, digest, step)
        nll = None if found.nll is None else found.nll.tolist()
        content = {"schema": SCHEMA, "plan": digest, "step": step, "nll": nll, "diverged": found.diverged}
        write_atomically(file, json.dumps(content).encode())
        return found

    def forget(self) -> None:
        """Remove its weights; what was measured stays."""
        for name in ("run", "cut"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _train(self, school: School, held_out: HeldOut, digest: str, step: int) -> Learnt:
        training = school.training
        student = load_model(cut(self.plan, self.parent, self.folder / "cut"), DTYPES["float32"])
        watcher = Watcher(step=lambda metrics, _: school.stepped(self.name, metrics, step))
        try:
            outcome = train(
                student, school.taught(self.seed, step), school.text.in_order(self.seed), LOSS,
                training.settings(self.seed), self.folder / "run",
                student_digest=digest, world=school.world, watcher=watcher, until=step,
            )  # fmt: skip
        except LossNotFinite as error:
            return Learnt(step, None, error.what)
        if outcome.stopped is not None:
            raise StoppedBySignal(outcome.stopped)
        nll = school.pruned(outcome.last, held_out)
        if not np.isfinite(nll).all():
            return Learnt(step, None, f"Its loss on held-out text is not finite after step {step}.")
        return Learnt(step, nll)


def _read(file: Path, digest: str, step: int) -> Learnt | None:
    kept: dict[str, Any] = json_object(file)
    if kept.get("schema") != SCHEMA or kept.get("plan") != digest or kept.get("step") != step:
        return None
    nll = kept.get("nll")
    return Learnt(step, None if nll is None else np.array(nll, dtype=float), kept.get("diverged"))
