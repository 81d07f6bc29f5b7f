"""`gate-noise.json`: what identical code was seen to do on one machine, and what a gate makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from harness.gates.policy import AccuracyEntry, Policy
from zoo.errors import FileMissing, InvalidFile, one_line
from zoo.files import write_atomically
from zoo.strict import Frozen

DEFAULT = Path("gate-noise.json")
ROOM = 2.0
"""Times the largest fall of a gold mean that identical code showed: a margin below is widened to it."""
Part = Annotated[float, Field(ge=0, le=1)]


class GoldNoise(Frozen):
    """Of the right answer's log-probability: re-run - first run, nats a document."""

    documents: int
    mean: float
    """Over all re-runs: the bias."""
    lowest_mean: float
    """Of the re-run that fell most."""
    highest_mean: float
    sd: Annotated[float, Field(ge=0)]
    """Over documents, of one re-run."""
    largest: Annotated[float, Field(ge=0)]
    """In size, of one document."""


class TaskNoise(Frozen):
    """What the re-runs of one task changed. A group is one task."""

    task: str
    metric: str
    filter: str
    documents: Annotated[int, Field(ge=1)]
    runs: Annotated[int, Field(ge=1)]
    lost: int
    gained: int
    """Documents that got worse and better, over all re-runs."""
    discordance: Part
    """Share of documents that changed, the mean of the re-runs."""
    highest: Part
    """The same in the re-run that changed most."""
    upper: Part
    """One-sided 95 % upper end of it."""
    largest_difference: float
    """Of the metric, re-run - first run, in its own unit: the largest in size."""
    sd: float
    """Of documents' differences in the metric."""
    gold: GoldNoise | None = None


class NoiseFile(Frozen):
    """A calibration."""

    schema_version: Literal["minizoo.noise/1"] = Field("minizoo.noise/1", alias="schema")
    model: str
    suite: str
    backend: str
    device: str
    versions: Mapping[str, str]
    made: datetime
    limit: int | None = None
    """Documents of each leaf task; None: all."""
    first: str
    """How the first run was run, with which the others are compared."""
    variations: tuple[str, ...]
    """How the others were."""
    seconds: tuple[float, ...]
    """What each of them took."""
    tasks: tuple[TaskNoise, ...]

    @property
    def flips(self) -> dict[str, float]:
        """Task → share of documents that identical code changed, in the re-run that changed most."""
        return {task.task: task.highest for task in self.tasks}

    def widened(self, policy: Policy) -> tuple[Policy, list[str]]:
        """The policy with no margin of gold log-probability below ROOM times what identical code was seen to fall; each change
        in words."""
        told: list[str] = []
        entries = tuple(self._widened(entry, told) for entry in policy.accuracy)
        return policy.model_copy(update={"accuracy": entries}), told

    def _widened(self, entry: AccuracyEntry, told: list[str]) -> AccuracyEntry:
        if entry.gold_margin is None:
            return entry
        falls = {
            task.task: -task.gold.lowest_mean for task in self.tasks if task.gold and fnmatchcase(task.task, entry.task)
        }
        worst = max(falls, key=lambda task: falls[task], default=None)
        if worst is None or (least := ROOM * falls[worst]) <= entry.gold_margin:
            return entry
        told.append(
            f"gold_margin of {entry.task} widened from {entry.gold_margin:g} to {least:.2g} nats: re-runs of identical code "
            f"fell by up to {falls[worst]:.2g} nats a document in {worst} (calibrated {self.made:%Y-%m-%d})."
        )
        return entry.model_copy(update={"gold_margin": least})


def load_noise(path: Path) -> NoiseFile:
    """The calibration in that file. FileMissing, or InvalidFile where it is none."""
    try:
        return NoiseFile.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        hint = "`minizoo gate --calibrate N --model MODEL` makes one."
        raise FileMissing(f"There is no file of noise {path}.", hint) from None
    except (ValidationError, UnicodeDecodeError, OSError) as error:
        raise InvalidFile(f"{path} is no file of noise ({one_line(error)[:200]}).", "Calibrate again.") from None


def save_noise(path: Path, noise: NoiseFile) -> None:
    """Write it whole or not at all."""
    write_atomically(path, (json.dumps(noise.model_dump(mode="json", by_alias=True), indent=1) + "\n").encode())
