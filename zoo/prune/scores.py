"""Importance scores of a parent: their file, with what they were measured on, and the ranking that a plan is made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from zoo.arch.dims import Dense
from zoo.errors import InvalidScores, OtherParent
from zoo.files import write_atomically
from zoo.prune.plan import UnitSelection
from zoo.prune.selection import Ranking
from zoo.prune.target import ChildShape

ScoreArray = NDArray[np.float64]
DepthBy = Literal["bi", "ppl", "task"]
DepthCut = Literal["contiguous", "single"]
DEPTH_WORDS: dict[DepthBy, str] = {"bi": "Block Influence", "ppl": "perplexity", "task": "a task's score"}


@dataclass(frozen=True)
class Scores:
    """`arrays`: heads [layers, query heads], ffn [layers, neurons], hidden [layers, 2 norms, channels], and for depth
    `bi.N`, `ppl.N`, `task.N` [layers − N + 1]: the cost of removing N layers from each start. Higher is more
    important.

    `provenance`: parent name and digest, calibration name and digest, settings, versions.
    """

    arrays: Mapping[str, ScoreArray]
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def caption(self) -> str:
        """Of which parent they are, and on which data they were measured."""
        return f"{self.provenance.get('parent', 'unknown parent')} on {self.provenance.get('calibration', 'no data')}"

    def digest(self) -> str:
        """sha256 of all scores and their provenance."""
        whole = hashlib.sha256(json.dumps(self.provenance, sort_keys=True).encode())
        for name, values in sorted(self.arrays.items()):
            whole.update(f"\n{name} {values.shape} ".encode() + values.astype("<f8").tobytes())
        return whole.hexdigest()

    def ranking(
        self,
        shape: ChildShape,
        depth_by: DepthBy = "bi",
        depth_cut: DepthCut = "contiguous",
        named_in: str = "the request",
    ) -> Ranking:
        """The scores as a plan of this shape needs them; layers that the shape names (`named_in` what) are not ranked.

        Heads and neurons are ranked within their layer; hidden channels by the sum over all layers' norms, one set for
        the whole network. Raises InvalidScores where the depth scores asked for were not measured.
        """
        if not shape.choosing:
            return unranked(shape, named_in)
        removed = shape.unnamed
        settings = self.provenance.get("settings", {})
        method = f"importance ({settings.get('describe', 'of unknown settings')})"
        axes = dict.fromkeys(shape.narrowed, method)
        tasks = ()
        blocks = layers = None
        if removed:
            name = f"{depth_by}.{removed if depth_cut == 'contiguous' else 1}"
            if name not in self.arrays:
                raise InvalidScores(f"The scores have no {name}.", f"They have: {', '.join(sorted(self.arrays))}.")
            blocks, layers = (self.arrays[name], None) if depth_cut == "contiguous" else (None, self.arrays[name])
            method += f"; layers by {depth_by}, {depth_cut}"
            axes["layers"] = f"{DEPTH_WORDS[depth_by]}, {depth_cut}"
            tasks = tuple(settings.get("tasks", ())) if depth_by == "task" else ()
        elif shape.removed:
            method += f"; layers named in {named_in}"
            axes["layers"] = f"named in {named_in}"
        hidden = self.arrays.get("hidden")
        return Ranking(
            self._selection(method, axes, tasks),
            heads=self.arrays.get("heads"),
            ffn=self.arrays.get("ffn"),
            hidden=None if hidden is None else hidden.sum((0, 1)),
            layers=layers,
            blocks=blocks,
        )

    def _selection(self, method: str, axes: dict[str, str], tasks: tuple[str, ...]) -> UnitSelection:
        told = self.provenance
        devices = sorted(set(told.get("devices", ())))
        try:
            return UnitSelection(
                method=method,
                scores_digest=self.digest(),
                calibration=told.get("calibration"),
                calibration_digest=told.get("calibration_digest"),
                selection_tasks=tasks,
                axes=axes,
                calibration_shape=_pair(told.get("calibration_shape")),
                calibration_asked=_pair(told.get("calibration_asked")),
                measured_on=f"{told.get('dtype')} on {', '.join(devices)}" if devices else None,
            )
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise InvalidScores(
                f"What the scores say of themselves is broken ({where}).", "Measure them again."
            ) from None

    def check_dims(self, dims: Dense, digest: str | None) -> None:
        """Raise OtherParent where the scores have other widths, or another digest where both have one."""
        wanted = {
            "heads": (dims.num_layers, dims.num_attention_heads),
            "ffn": (dims.num_layers, dims.ffn_hidden_size),
            "hidden": (dims.num_layers, 2, dims.hidden_size),
        }
        for name, shape in wanted.items():
            if name in self.arrays and self.arrays[name].shape != shape:
                raise OtherParent(
                    f"The scores are of another parent: {name} is {self.arrays[name].shape}, not {shape}."
                )
        theirs = self.provenance.get("parent_digest")
        if digest is not None and theirs is not None and theirs != digest:
            raise OtherParent("The scores are of another parent (its digest differs).", "Measure this one's.")


DrawScores = Callable[[Scores], str]
"""Draws the scores as an SVG; passed in from above (`reports.charts.importance`)."""


def unranked(shape: ChildShape, named_in: str = "the request") -> Ranking:
    """What chose the units where the target names all that goes: no scores did."""
    if not shape.removed:
        return Ranking(UnitSelection(method="nothing is cut"))
    named = f"named in {named_in}"
    return Ranking(UnitSelection(method=f"layers {named}", axes={"layers": named}))


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # JSON has no tuples


def save_scores(path: Path, scores: Scores) -> None:
    """Write one safetensors file, atomically; the provenance is its metadata."""
    from safetensors.numpy import save

    meta = {"minizoo": json.dumps({"schema": "minizoo.scores/1", **scores.provenance}, sort_keys=True)}
    write_atomically(path, save({name: np.ascontiguousarray(v) for name, v in scores.arrays.items()}, metadata=meta))


def write_scores(scores: Scores, folder: Path, draw: DrawScores | None = None) -> list[Path]:
    """Write scores.safetensors into the folder, and with `draw` their picture, scores.svg; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    save_scores(folder / "scores.safetensors", scores)
    if draw is None:
        return [folder / "scores.safetensors"]
    write_atomically(folder / "scores.svg", draw(scores).encode())
    return [folder / "scores.safetensors", folder / "scores.svg"]


def load_scores(path: Path) -> Scores:
    """Read such a file, or that of a folder that `write_scores` filled or of a child that was cut by scores.

    Raises InvalidScores for one that is missing, broken or holds a value that is NaN or infinite.
    """
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        of_a_child = path / "importance/scores.safetensors"
        path = of_a_child if of_a_child.is_file() else path / "scores.safetensors"
    try:
        with safe_open(path, framework="np") as file:
            provenance: dict[str, Any] = json.loads((file.metadata() or {})["minizoo"])
            arrays = {name: cast(ScoreArray, file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InvalidScores(f"There is no {path}.", "`minizoo prune … --scores-only` writes one.") from None
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise InvalidScores(f"{path} holds no importance scores ({error}).", "Measure them again.") from None
    provenance.pop("schema", None)
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise InvalidScores(f"{path} holds scores that are not numbers.", "Measure them again.")
    return Scores(arrays, provenance)


def random_scores(dims: Dense, seed: int, removed: int = 0) -> Scores:
    """Uniform random scores: the baseline that measured importance must beat."""
    rng = np.random.default_rng(seed)
    arrays = {
        "heads": rng.random((dims.num_layers, dims.num_attention_heads)),
        "ffn": rng.random((dims.num_layers, dims.ffn_hidden_size)),
        "hidden": rng.random((dims.num_layers, 2, dims.hidden_size)),
    }
    for length in {1, removed} - {0}:
        arrays[f"bi.{length}"] = rng.random(dims.num_layers - length + 1)
    return Scores(arrays, {"settings": {"describe": f"random, seed {seed}"}})


def reversed_scores(scores: Scores) -> Scores:
    """The same scores negated: the most important units are removed first."""
    provenance = {**scores.provenance, "settings": {"describe": "reversed importance"}}
    return Scores({name: -values for name, values in scores.arrays.items()}, provenance)
