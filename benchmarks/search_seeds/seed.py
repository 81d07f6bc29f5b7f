"""One seed: a teacher from scratch, the candidates of a search, each trained as a search trains it, and each for long.

Every training leaves a small file, so a seed that is killed goes on after the last one that is done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.stages.teaching import load_model
from zoo.distill.teacher.live import LiveTeacher
from zoo.distill.train.loop import train
from zoo.files import json_object, publish_folder, write_atomically
from zoo.prune.parent import Parent, open_parent
from zoo.reproduce.models import drawn
from zoo.reproduce.scale import NANO, Scale
from zoo.reproduce.scratch import train_from_scratch
from zoo.reproduce.text import SeedTexts, stream_of
from zoo.search.budget import parse_budget
from zoo.search.candidates import Candidate
from zoo.search.planning import Timing, plan_search
from zoo.search.request import SearchRequest
from zoo.search.settings import Training, rung_steps
from zoo.search.stages.cutting import Importance, cut, importance, plan_of
from zoo.search.stages.held_out import HeldOut, document_losses
from zoo.search.stopping import Losses

RANKING, MEASURING = 300, 600
"""Held-out documents: the first rank, by the others the long trainings are measured."""


@dataclass(frozen=True)
class Setting:
    """All seeds' setting: a teacher, a budget, and how long candidates are trained. Tokens are of one candidate."""

    scale: Scale
    budget: str
    candidates: int
    """Shapes that are cut."""
    keep: int
    """Of these, those that are trained: the ones of the lowest loss as cut, as in a search."""
    training: Training
    """A search's; it ends after all of `training.tokens`."""
    long: int
    """Tokens of the training that a search stands for, whose rate falls to 2 % along a cosine."""
    rungs: int = 5

    @property
    def digest(self) -> str:
        """Of all of it: files of another setting are not read."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


LONG = 196_608
SETTING = Setting(
    # a seed's student text is as many times `tokens` as its longest arm's: more than a long training reads
    scale=replace(
        NANO, name="rank", hidden=64, ffn=192, teacher_tokens=600_000, tokens=LONG // 8, held_out=RANKING + MEASURING
    ),
    budget="params=50%",
    candidates=12,
    keep=6,
    training=Training(tokens=LONG // 4, batch=8, length=128, micro=8, rate=8e-3, warm_up=6),
    long=LONG,
)


def run_seed(seed: int, folder: Path, setting: Setting = SETTING) -> int:
    """Compute what is missing of a seed in `folder` on one thread; returns the seed."""
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True)
    folder.mkdir(parents=True, exist_ok=True)
    _Seed(seed, folder, setting).run()
    return seed


def found_in(folder: Path, setting: Setting = SETTING) -> list[dict[str, Any]] | None:
    """What a seed left of each candidate; None where it is not whole."""
    found = [_kept(folder / f"candidate-{at}.json", setting) for at in range(setting.keep)]
    return None if None in found else [each for each in found if each is not None]


@dataclass(frozen=True)
class _Cut:
    """A candidate, its checkpoint, and its losses on the ranking documents."""

    candidate: Candidate
    folder: Path
    nll: Losses

    def told(self) -> dict[str, Any]:
        return {"shape": self.candidate.shape.words, "parameters": self.candidate.parameters, "cut": self.nll.tolist()}


class _Seed:
    def __init__(self, seed: int, folder: Path, setting: Setting) -> None:
        self.seed, self.folder, self.setting = seed, folder, setting
        self.texts = SeedTexts(seed, setting.scale)

    def run(self) -> None:
        if found_in(self.folder, self.setting) is not None:
            return
        parent = self._parent()
        documents = [tuple(each) for each in self.texts.held_out("own")]
        ranking, measuring = HeldOut(tuple(documents[:RANKING])), HeldOut(tuple(documents[RANKING:]))
        for at, each in enumerate(self._kept_candidates(parent, ranking)):
            if _kept(self.folder / f"candidate-{at}.json", self.setting) is None:
                found = {
                    **each.told(),
                    "tokens_of_documents": ranking.tokens.tolist(),
                    **self._searched(at, each.folder, ranking),
                    "long": self._trained_for_long(at, each.folder, measuring),
                }
                self._write(f"candidate-{at}.json", found)
                for name in (f"run-{at}", f"long-{at}"):
                    shutil.rmtree(self.folder / name, ignore_errors=True)
        shutil.rmtree(self.folder / "cuts", ignore_errors=True)

    @property
    def _rows(self) -> Any:
        return self.texts.student_rows("own")

    def _parent(self) -> Parent:
        """The teacher, trained by the recipe of the nano teacher."""
        place, scale = self.folder / "teacher", self.setting.scale
        if _kept(self.folder / "teacher.json", self.setting) is None:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
            model = drawn(scale, stream_of(self.seed, "teacher's weights"))
            train_from_scratch(model, self.texts.teacher_rows, scale, scale.teacher_tokens)
            model.save_pretrained(self.folder / "teacher.part")
            publish_folder(self.folder / "teacher.part", place)
            self._write("teacher.json", {"parameters": model.num_parameters()})
        return open_parent(place, "teacher")

    def _kept_candidates(self, parent: Parent, held_out: HeldOut) -> list[_Cut]:
        """The shapes that lose least as cut, the best first."""
        request = SearchRequest("teacher", parse_budget(self.setting.budget), candidates=self.setting.candidates)
        tried = plan_search(request, parent.dims, Timing(), lambda _line: None).tried
        removed = [parent.dims.num_layers - each.shape.layers for each in tried]
        how = Importance(rows=64, seed=self.seed, device="cpu", dtype="float32")
        scores = importance(parent, self._rows, removed, how, self.folder / "importance.safetensors", None)
        cuts: list[_Cut] = []
        for at, each in enumerate(tried):
            folder = cut(plan_of(parent, each.shape, scores, "bi"), parent, self.folder / "cuts" / str(at))
            cuts.append(_Cut(each, folder, document_losses(load_model(folder, torch.float32), held_out).round(3)))
        return sorted(cuts, key=lambda each: float(each.nll.sum()))[: self.setting.keep]

    def _searched(self, at: int, made: Path, held_out: HeldOut) -> dict[str, Any]:
        """Losses at every rung; a training that was broken off begins anew, since its folder may be past a rung."""
        shutil.rmtree(self.folder / f"run-{at}", ignore_errors=True)
        training = self.setting.training
        settings = training.settings(stream_of(self.seed, "training"))
        nll: list[list[float]] = []
        steps = rung_steps(training.steps, self.setting.rungs)
        for step in steps:
            model = self._train(f"run-{at}", made, settings, step)
            nll.append(document_losses(model, held_out).round(3).tolist())
        return {"steps": list(steps), "nll": nll}

    def _trained_for_long(self, at: int, made: Path, held_out: HeldOut) -> float:
        """Nats a token after the whole training, on documents that ranked nothing."""
        training = replace(self.setting.training, tokens=self.setting.long)
        settings = replace(
            training.settings(stream_of(self.seed, "training")), schedule="cosine", least_rate=0.02 * training.rate
        )
        model = self._train(f"long-{at}", made, settings, training.steps)
        return float(document_losses(model, held_out).sum() / held_out.tokens.sum())

    def _train(self, name: str, made: Path, settings: TrainSettings, until: int) -> Any:
        student = load_model(made, torch.float32)
        teacher = LiveTeacher(load_model(self.folder / "teacher", torch.float32), digest="teacher")
        outcome = train(
            student, teacher, self._rows, LossSettings(), settings, self.folder / name,
            student_digest=f"{name} of seed {self.seed}", until=until,
        )  # fmt: skip
        if outcome.stopped is not None:
            raise KeyboardInterrupt
        return student

    def _write(self, name: str, found: dict[str, Any]) -> None:
        write_atomically(self.folder / name, json.dumps({"setting": self.setting.digest, **found}).encode())


def _kept(file: Path, setting: Setting) -> dict[str, Any] | None:
    found = json_object(file)
    return found if found.get("setting") == setting.digest else None
