"""What a pruning run is asked to do, as one frozen value made from the command line's options."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

from zoo.arch.dims import Dense
from zoo.errors import ConflictingOptions, OutputExists
from zoo.prune.calibration import Sampling
from zoo.prune.calibration_file import check_column
from zoo.prune.importance.aggregate import Aggregation, Function, Neurons
from zoo.prune.importance.cost import MeasurementCost, measurement_cost
from zoo.prune.recipes import Recipe, recipe
from zoo.prune.scores import DepthBy, DepthCut
from zoo.prune.target import ChildShape, Target, child_shape, parse_target
from zoo.prune.write.writer import SHARD_BYTES

Product = Literal["child", "virtual", "plan", "scores"]
"""What is written: a checkpoint, a plan that the `pruned` backend runs, plan.json alone, or importance scores alone."""


class Choices(TypedDict):
    """The options of `minizoo prune` as click gives them; a path is not yet opened, a word not yet looked up."""

    recipe: str | None
    target: tuple[str, ...]
    plan: Path | None
    scores: Path | None
    calibration: Path | None
    text_column: str | None
    plan_only: bool
    scores_only: bool
    virtual: bool
    out: Path | None
    samples: int
    length: int
    seed: int
    batch_by: Function
    sequence_by: Function
    neurons: Neurons
    depth_by: DepthBy
    depth_cut: DepthCut
    depth_task: str | None
    depth_limit: int | None
    device: str
    dtype: str
    head_residual: bool
    shard_gb: float


class PruneOptions(Choices):
    """All that a command line says: the options, and the parent, which may be an argument."""

    parent: str


@dataclass(frozen=True)
class DepthTask:
    """The task that layers are chosen by: its name, and how many of its documents are scored (None: all)."""

    name: str
    limit: int | None = None


@dataclass(frozen=True)
class PruneRequest:
    """Which parent is cut to what, what chooses the units, and what is written where."""

    parent: str
    product: Product
    out: Path | None
    # what to cut to: a plan, a recipe, or a target
    plan_file: Path | None = None
    recipe: Recipe | None = None
    target: Target = field(default_factory=Target)
    # what chooses the units: scores of a file, or importance measured on calibration text
    scores_file: Path | None = None
    calibration_file: Path | None = None
    text_column: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    aggregation: Aggregation = field(default_factory=Aggregation)
    neurons: Neurons = "post"
    depth_by: DepthBy = "bi"
    depth_cut: DepthCut = "contiguous"
    depth_task: DepthTask | None = None
    # what it is measured on
    device: str = "auto"
    dtype: str = "auto"
    # how the weights are written
    head_residual: bool = False
    shard_bytes: int = SHARD_BYTES

    def shape(self, parent: Dense) -> ChildShape:
        """The child's shape for this parent, of the recipe or the target. Raises NoRecipe and InvalidTarget."""
        return self.recipe.shape(parent) if self.recipe else child_shape(parent, self.target)

    @property
    def named_in(self) -> str:
        """Where layers that are removed by name are named."""
        return "the recipe" if self.recipe else "the request"

    def cost(self, parent: Dense, rows: int | None = None, length: int | None = None) -> MeasurementCost:
        """What measuring takes that this request needs or asks for, on so many rows (without: as many as it asks for)."""
        longest = min(self.sampling.length, parent.max_context or self.sampling.length)
        return measurement_cost(
            parent,
            rows or self.sampling.samples,
            length or longest,
            self.block_lengths(parent),
            self.depth_by == "ppl",
            self.task_block(parent) if self.depth_by == "task" else None,
        )

    def block_lengths(self, parent: Dense) -> tuple[int, ...]:
        """Lengths of the blocks of layers whose removal is measured: single layers, and as many as are to be chosen."""
        return tuple(sorted({1, self.shape(parent).unnamed} - {0}))

    def task_block(self, parent: Dense) -> int:
        """The length of the blocks that a task is scored without."""
        return self.shape(parent).unnamed or 1 if self.depth_cut == "contiguous" else 1

    @property
    def needs_weights(self) -> bool:
        """Whether the parent's weights are read; a plan can be made from dimensions and scores alone."""
        return self.product != "plan" or self.calibration_file is not None


def parse_request(options: PruneOptions) -> PruneRequest:
    """The request of a command line.

    Raises ConflictingOptions for options that do not go together, OutputExists, and what `recipe` and `parse_target` raise.
    """
    _check_options(options)
    if not options["plan"]:
        _check_search(options)
    task = DepthTask(options["depth_task"], options["depth_limit"]) if options["depth_task"] else None
    return PruneRequest(
        parent=options["parent"],
        product=_product(options),
        out=options["out"],
        plan_file=options["plan"],
        recipe=recipe(options["recipe"]) if options["recipe"] else None,
        target=parse_target(options["target"]),
        scores_file=options["scores"],
        calibration_file=options["calibration"],
        text_column=options["text_column"],
        sampling=Sampling(options["samples"], options["length"], options["seed"]),
        aggregation=Aggregation(options["batch_by"], options["sequence_by"]),
        neurons=options["neurons"],
        depth_by=options["depth_by"],
        depth_cut=options["depth_cut"],
        depth_task=task,
        device=options["device"],
        dtype=options["dtype"],
        head_residual=options["head_residual"],
        shard_bytes=int(options["shard_gb"] * 1e9),
    )


def _product(options: PruneOptions) -> Product:
    if options["scores_only"]:
        return "scores"
    if options["plan_only"]:
        return "plan"
    return "virtual" if options["virtual"] else "child"


def _check_options(options: PruneOptions) -> None:
    plan, scores, calibration, out = (options[name] for name in ("plan", "scores", "calibration", "out"))
    if plan and (options["recipe"] or options["target"] or calibration or scores or options["scores_only"]):
        raise ConflictingOptions(
            "--plan says all that is cut.", "Give no recipe, target, calibration or scores with it."
        )
    if calibration and scores:
        raise ConflictingOptions("--calibration measures scores, --scores brings them.", "Give one of them.")
    if options["text_column"] is not None:
        if calibration is None:
            raise ConflictingOptions("--text-column names a column of calibration text.", "Give --calibration FILE.")
        check_column(calibration, options["text_column"])
    if options["scores_only"] and not calibration:
        raise ConflictingOptions("--scores-only needs text to measure on.", "Give --calibration FILE.")
    if out is None and not (options["plan_only"] and not calibration):
        raise ConflictingOptions("There is nowhere to write to.", "Give --out DIR.")
    if out is not None and out.exists():
        raise OutputExists(f"{out} is already there.", "Give another --out, or remove it first.")


def _check_search(options: PruneOptions) -> None:
    """The options that choose units, which a plan has no use for."""
    if bool(options["depth_task"]) != (options["depth_by"] == "task" and not options["scores"]):
        raise ConflictingOptions(
            "--depth-by task and --depth-task NAME go together, to measure.", "With --scores give no --depth-task."
        )
    both_or_neither = bool(options["recipe"]) == bool(options["target"])
    if both_or_neither and not (options["scores_only"] and not options["target"]):
        raise ConflictingOptions("A pruning needs one of --recipe and --target.", "E.g. --target hidden=48 ffn=128.")
