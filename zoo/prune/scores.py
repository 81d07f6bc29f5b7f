"""Importance scores of a parent, saved with what they were measured on, and the ranking that a plan is made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from zoo.arch.dims import Dense
from zoo.errors import InputError
from zoo.files import write_atomically
from zoo.prune.plan import Choice, Ranking

Array = NDArray[np.float64]
DepthBy = Literal["bi", "ppl", "task"]
DepthCut = Literal["contiguous", "single"]


@dataclass(frozen=True)
class Scores:
    """`arrays`: heads [layers, query heads], ffn [layers, neurons], hidden [layers, 2 norms, channels], and for depth
    `bi.N`, `ppl.N`, `task.N` [layers − N + 1]: the cost of removing N layers from each start. Higher is dearer.

    `provenance`: parent name and digest, calibration name and digest, settings, versions.
    """

    arrays: Mapping[str, Array]
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def digest(self) -> str:
        """sha256 of all scores and their provenance."""
        whole = hashlib.sha256(json.dumps(self.provenance, sort_keys=True).encode())
        for name, values in sorted(self.arrays.items()):
            whole.update(f"\n{name} {values.shape} ".encode() + values.astype("<f8").tobytes())
        return whole.hexdigest()

    def ranking(self, removed: int = 0, depth_by: DepthBy = "bi", depth_cut: DepthCut = "contiguous") -> Ranking:
        """What chooses the units when `removed` layers go.

        Heads and neurons are ranked within their layer; hidden channels by the sum over all layers' norms, one set for
        the whole network. Raises InputError where the depth scores asked for were not measured.
        """
        told = self.provenance
        settings = told.get("settings", {})
        method = f"importance ({settings.get('describe', 'of unknown settings')})"
        tasks = ()
        blocks = layers = None
        if removed:
            name = f"{depth_by}.{removed if depth_cut == 'contiguous' else 1}"
            if name not in self.arrays:
                raise InputError(f"The scores have no {name}.", f"They have: {', '.join(sorted(self.arrays))}.")
            blocks, layers = (self.arrays[name], None) if depth_cut == "contiguous" else (None, self.arrays[name])
            method += f"; layers by {depth_by}, {depth_cut}"
            tasks = tuple(settings.get("tasks", ())) if depth_by == "task" else ()
        hidden = self.arrays.get("hidden")
        return Ranking(
            Choice(
                method=method,
                scores_digest=self.digest(),
                calibration=told.get("calibration"),
                calibration_digest=told.get("calibration_digest"),
                selection_tasks=tasks,
            ),
            heads=self.arrays.get("heads"),
            ffn=self.arrays.get("ffn"),
            hidden=None if hidden is None else hidden.sum((0, 1)),
            layers=layers,
            blocks=blocks,
        )

    def check_dims(self, dims: Dense, digest: str | None) -> None:
        """Raise InputError where the scores are of another parent: other widths, or another digest where both have one."""
        wanted = {
            "heads": (dims.num_layers, dims.num_attention_heads),
            "ffn": (dims.num_layers, dims.ffn_hidden_size),
            "hidden": (dims.num_layers, 2, dims.hidden_size),
        }
        for name, shape in wanted.items():
            if name in self.arrays and self.arrays[name].shape != shape:
                raise InputError(f"The scores are of another parent: {name} is {self.arrays[name].shape}, not {shape}.")
        theirs = self.provenance.get("parent_digest")
        if digest is not None and theirs is not None and theirs != digest:
            raise InputError("The scores are of another parent (its digest differs).", "Measure this one's.")


def save_scores(path: Path, scores: Scores) -> None:
    """Write one safetensors file, whole or not at all; the provenance is its metadata."""
    from safetensors.numpy import save

    meta = {"minizoo": json.dumps({"schema": "minizoo.scores/1", **scores.provenance}, sort_keys=True)}
    write_atomically(path, save({name: np.ascontiguousarray(v) for name, v in scores.arrays.items()}, metadata=meta))


def load_scores(path: Path) -> Scores:
    """Read such a file. Raises InputError for one that is missing, broken or holds a value that is no number."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            told: dict[str, Any] = json.loads((file.metadata() or {})["minizoo"])
            arrays = {name: cast(Array, file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"There is no {path}.", "`minizoo prune … --scores-only` writes one.") from None
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise InputError(f"{path} holds no importance scores ({error}).", "Measure them again.") from None
    told.pop("schema", None)
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise InputError(f"{path} holds scores that are not numbers.", "Measure them again.")
    return Scores(arrays, told)


def random_scores(dims: Dense, seed: int, removed: int = 0) -> Scores:
    """Scores that know nothing: the baseline any importance must beat."""
    dice = np.random.default_rng(seed)
    arrays = {
        "heads": dice.random((dims.num_layers, dims.num_attention_heads)),
        "ffn": dice.random((dims.num_layers, dims.ffn_hidden_size)),
        "hidden": dice.random((dims.num_layers, 2, dims.hidden_size)),
    }
    for length in {1, removed} - {0}:
        arrays[f"bi.{length}"] = dice.random(dims.num_layers - length + 1)
    return Scores(arrays, {"settings": {"describe": f"random, seed {seed}"}})


def reversed_scores(scores: Scores) -> Scores:
    """The same scores upside down: what is dearest goes first."""
    told = {**scores.provenance, "settings": {"describe": "reversed importance"}}
    return Scores({name: -values for name, values in scores.arrays.items()}, told)
