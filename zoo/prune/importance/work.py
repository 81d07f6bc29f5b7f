"""The folder of an unfinished measurement: hidden states, and what is done so far, which a later run goes on from."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.errors import DiskFull
from zoo.prune.calibration import Calibration
from zoo.prune.importance.blocks import Block, blocks_of, still_needed
from zoo.prune.importance.cost import MeasurementCost
from zoo.prune.importance.devices import kind_of
from zoo.prune.importance.settings import Computing, ImportanceSettings
from zoo.prune.importance.states import States
from zoo.prune.parent import Parent
from zoo.prune.scores import Scores, load_scores, save_scores

NOT_PART_OF_THE_KEY = ("devices", "calibration_asked")
"""Of what is said of a measurement: they change nothing in the outcome."""


class Work:
    """What is done lies in `progress.safetensors`; it is written after each layer and after each perplexity."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = 0
        self.removed: list[Block] = []
        self.nll: dict[str, float] = {}
        self.provenance: dict[str, object] = {}
        self._arrays: dict[str, list[NDArray[np.float64]]] = {}
        self._key = ""

    def open(
        self, parent: Parent, calibration: Calibration, settings: ImportanceSettings, computing: Computing
    ) -> None:
        """Take what the same measurement left, else begin with an empty folder."""
        rows, length = calibration.tokens.shape
        self._shape = rows, length, parent.dims.hidden_size
        self._reach, self._layers = max(settings.blocks, default=1), parent.dims.num_layers
        self.removed = blocks_of(settings.blocks, self._layers) if settings.perplexity else []
        kinds = [kind_of(device) for device in computing.devices]
        self.provenance = {
            "parent": parent.name,
            "parent_digest": parent.digest,
            "calibration": calibration.name,
            "calibration_digest": calibration.digest,
            "calibration_shape": [rows, length],
            "calibration_asked": list(calibration.asked or (rows, length)),
            "settings": {**asdict(settings), "describe": settings.described},
            "devices": kinds,
            "dtype": computing.dtype,
            "torch": torch.__version__,
        }
        said = {name: value for name, value in self.provenance.items() if name not in NOT_PART_OF_THE_KEY}
        told = json.dumps([said, sorted(set(kinds)), computing.batch_tokens], sort_keys=True)
        self._key = hashlib.sha256(told.encode()).hexdigest()
        if not self._resumed():
            self.remove()
            self.folder.mkdir(parents=True)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to measure."""
        return self.done == self._layers and len(self.nll) == (len(self.removed) + 1 if self.removed else 0)

    def check_space(self, cost: MeasurementCost) -> None:
        """Raise DiskFull where the states would not fit; those that already lie here are counted as room."""
        here = sum(path.stat().st_size for path in self.folder.glob("*.states"))
        free = shutil.disk_usage(self.folder).free + here
        if cost.states_at_once > free and not self.complete:
            if not self.done:
                self.remove()
            raise DiskFull(
                f"The hidden states of {cost.rows:,} rows of {cost.length} tokens take {cost.states_at_once:,} bytes at a "
                f"time, and the disk of {self.folder.parent} has {free:,} free.",
                "Take fewer --samples, a smaller --length, --depth-by bi, or an --out on another disk.",
            )

    def states(self, name: str) -> States:
        """The states of that name. Writing them raises DiskFull, in words, where the disk is full."""
        return States(self.folder / f"{name}.states", *self._shape)

    def add(self, name: str, values: NDArray[np.float64]) -> None:
        """Take a layer's scores."""
        self._arrays.setdefault(name, []).append(values)

    def finish_layer(self, layer: int) -> None:
        """Make the layer durable, then drop the states that no later layer reads."""
        self.done = layer + 1
        self._save()
        needed = self._needed()
        for path in self.folder.glob("*.states"):
            if path not in needed:
                path.unlink()

    def keep_nll(self, name: str, value: float) -> None:
        """Make a candidate's Σ −log p durable."""
        self.nll[name] = value
        self._save()

    def stacked(self) -> dict[str, NDArray[np.float64]]:
        """All scores so far, a layer a row; those of blocks, whose names have a dot, in one row."""
        return {n: np.concatenate(rows) if "." in n else np.stack(rows) for n, rows in self._arrays.items()}

    def drop_states(self) -> None:
        """Once all is measured: their room may be needed for the child."""
        for path in self.folder.glob("*.states"):
            path.unlink()

    def remove(self) -> None:
        """The folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _needed(self) -> set[Path]:
        return {self.states(name).path for name in still_needed(self.done, self._reach, self.removed)}

    def _resumed(self) -> bool:
        progress = self.folder / "progress.safetensors"
        if not progress.is_file():
            return False
        found = load_scores(progress)
        if found.provenance.get("key") != self._key:
            return False
        self.done, self.nll = int(found.provenance["done"]), dict(found.provenance["nll"])
        self._arrays = {
            name: list(values) if "." not in name else [np.array([v]) for v in values]
            for name, values in found.arrays.items()
        }
        if self.complete or all(path.is_file() for path in self._needed()):
            return True
        self.done, self.nll, self._arrays = 0, {}, {}  # somebody removed states
        return False

    def _save(self) -> None:
        said = {"key": self._key, "done": self.done, "nll": self.nll}
        save_scores(self.folder / "progress.safetensors", Scores(self.stacked(), said))
