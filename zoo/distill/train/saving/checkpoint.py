"""A checkpoint: a folder that transformers loads, with `training/` in it from which the same run goes on.

It is written under a hidden name and renamed once everything is on the disk, so a killed run leaves the one before.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.train.objective import Objective
from zoo.distill.train.saving.state import file_name, read_state, write_state
from zoo.distill.train.saving.weights import AsStored, write_model
from zoo.distill.train.world import World, naming_lost_ranks
from zoo.errors import DiskFull, InvalidTraining, NotWritable, OtherRun
from zoo.files import fsync_path, json_object, publish_folder, write_atomically

SCHEMA = "minizoo.training/1"
TRAINING, STATE = "training", "state.json"
FREE_TO_CHANGE = ("micro", "checkpoint_activations", "save_every", "eval_every", "keep", "parallel", "offload")
"""Settings that change where and how often a run computes, and nothing of what it computes."""
Furnish = Callable[[Path], None]
"""Adds what a model's folder holds beside weights and config: tokenizer, generation settings, a note."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    """Steps taken."""
    tokens: int = 0
    """Counted tokens in them."""
    elapsed: float = 0.0
    """Seconds that they took."""
    alpha: float | None = None
    """By how much the next step weighs intermediate states, where the loss has them."""


@dataclass(frozen=True)
class Saver:
    """Writes the checkpoints of one run into the folder `home`."""

    home: Path
    run: Mapping[str, Any]
    """The run's identity."""
    dtype: torch.dtype
    world: World
    furnish: Furnish | None = None
    as_stored: AsStored | None = None

    def save(self, objective: Objective, optimizer: torch.optim.Optimizer, progress: Progress) -> Path:
        """Write the checkpoint after these steps; every rank calls it. What is there already is left as it is.

        Durable when it returns. Raises DiskFull, NotWritable and RankLost, after which nothing of it is left.
        """
        final = self.home / f"step-{progress.step:08d}"
        if self.world.first(final.exists):
            return final
        partial = self.home / f".{final.name}.partial"
        try:
            self.world.first(lambda: _renew(partial))
            with _naming_causes(final), naming_lost_ranks("while a checkpoint was written"):
                write_model(objective.student, partial, self.dtype, self.world, self.as_stored)
            self.world.each(lambda: self._write_state(objective, optimizer, partial / TRAINING))
            self.world.first(lambda: self._publish(partial, final, progress))
        except Exception:
            if self.world.is_first:
                shutil.rmtree(partial, ignore_errors=True)
            raise
        return final

    def _write_state(self, objective: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> None:
        with _naming_causes(folder):
            write_state(objective, optimizer, folder, self.world)

    def _publish(self, partial: Path, final: Path, progress: Progress) -> None:
        with _naming_causes(final):
            if self.furnish is not None:
                self.furnish(partial)
            training = partial / TRAINING
            names = [file_name(rank, self.world.size) for rank in range(self.world.size)]
            if missing := [name for name in names if not (training / name).is_file()]:
                raise NotWritable(
                    f"{len(missing)} processes wrote their part of {final} elsewhere.",
                    "Give an --out that all machines of the run share.",
                )
            shards = self.world.size if self.world.mode == "fsdp" else 1
            state = {"schema": SCHEMA, **asdict(progress), "ranks": self.world.size, "shards": shards, "run": self.run,
                     "bytes": {name: (training / name).stat().st_size for name in names}}  # fmt: skip
            write_atomically(training / STATE, (json.dumps(state, indent=2) + "\n").encode())
            fsync_path(training)
            publish_folder(partial, final)


@dataclass(frozen=True)
class Found:
    """A checkpoint that a run can go on from."""

    folder: Path
    progress: Progress
    ranks: int = 1
    shards: int = 1

    def read(self, objective: nn.Module, optimizer: torch.optim.Optimizer, world: World) -> None:
        """Put its state into weights, optimizer and random numbers. Raises InvalidTraining."""
        read_state(objective, optimizer, self.folder / TRAINING, world, self.ranks, self.shards)


def newest(home: Path, run: Mapping[str, Any]) -> Found | None:
    """The newest checkpoint in the folder; None where there is none.

    Raises OtherRun, with what differs, for one that a run of another identity wrote, InvalidTraining for a broken one.
    """
    for folder in sorted(home.glob("step-*"), reverse=True):
        if not (folder / TRAINING).is_dir():
            continue  # kept for its weights alone
        state = json_object(folder / TRAINING / STATE)
        try:
            progress = Progress(state["step"], state["tokens"], state["elapsed"], state["alpha"])
            found = Found(folder, progress, state["ranks"], state["shards"])
            theirs, sizes = dict(state["run"]), dict(state["bytes"])
        except (KeyError, TypeError, ValueError):
            raise _broken(folder, f"{STATE} is missing or not whole") from None
        _check_run(folder, theirs, run)
        for name, size in sizes.items():
            path = folder / TRAINING / name
            if not path.is_file() or path.stat().st_size != size:
                raise _broken(folder, f"{name} is missing or not whole")
        return found
    return None


def run_identity(
    student: str, teacher: str | None, data: str, loss: LossSettings, settings: TrainSettings, order: object = None
) -> dict[str, Any]:
    """What makes a run the same run: digests of student, teacher and data, the order, and all settings that numbers depend on.

    With a constant rate the number of steps is free, so such a run can be made longer.
    """
    free = {*FREE_TO_CHANGE, *(["steps", "least_rate"] if settings.schedule == "constant" else [])}
    said = {f"loss {name}": value for name, value in asdict(loss).items() if name != "chunk"}
    said |= {name: value for name, value in asdict(settings).items() if name not in free}
    ordered = hashlib.sha256(repr(order).encode()).hexdigest()
    return json.loads(json.dumps({"student": student, "teacher": teacher, "data": data, "order": ordered, **said}))


def _check_run(folder: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    differing = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    if differing:
        told = "; ".join(
            f"{name}: {_short(theirs.get(name))} there, {_short(ours.get(name))} here" for name in differing
        )
        raise OtherRun(
            f"{folder} is a checkpoint of another run ({told}).",
            "Go on with what that run was told, or give another --out.",
        )


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)


def _renew(folder: Path) -> None:
    with _naming_causes(folder):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / TRAINING).mkdir(parents=True)


def _broken(folder: Path, why: str) -> InvalidTraining:
    return InvalidTraining(
        f"The checkpoint {folder} is broken ({why}).", "Remove it; the run then goes on from the one before."
    )


@contextlib.contextmanager
def _naming_causes(where: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        cause = DiskFull if error.errno == errno.ENOSPC else NotWritable
        raise cause(
            f"{where} could not be written ({error.strerror or error}); the checkpoint before it is whole.",
            "Free some space or change its permissions; the same command goes on.",
        ) from error
