"""One pruning job: from a parent and a wish to scores, a plan, a child. Each step can be had alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.arch.dims import Dense
from zoo.arch.hf_config import dims_of, read_config
from zoo.errors import InputError
from zoo.files import write_atomically
from zoo.prune.calibration import Encode, Sampling, read_calibration
from zoo.prune.importance.aggregate import Aggregation, Neurons
from zoo.prune.parent import Parent
from zoo.prune.plan import Choice, ParentIdentity, Plan, Ranking, make_plan
from zoo.prune.plot import plot_scores
from zoo.prune.recipes import Recipe, recipe
from zoo.prune.scores import DepthBy, DepthCut, Scores, load_scores, save_scores
from zoo.prune.target import ChildShape, Target, child_shape, parse_target
from zoo.registry.loader import load_registry

ProgressCallback = Callable[[str, int, int], None]
"""Progress: what is being done, how much of it, of how much."""


@dataclass(frozen=True)
class PruneRequest:
    """What to cut to and how to choose: a recipe of the registry or a target, and the ways of measuring."""

    recipe: Recipe | None = None
    target: Target = field(default_factory=Target)
    aggregation: Aggregation = field(default_factory=Aggregation)
    neurons: Neurons = "post"
    depth_by: DepthBy = "bi"
    depth_cut: DepthCut = "contiguous"
    head_residual: bool = False
    sampling: Sampling = field(default_factory=Sampling)

    def shape(self, parent: Dense) -> ChildShape:
        """The child's shape for this parent."""
        return self.recipe.shape(parent) if self.recipe else child_shape(parent, self.target)


@dataclass(frozen=True)
class Text:
    """Calibration text and the parent's tokenizer as the one function it takes, with its special ids."""

    path: Path
    encode: Encode
    bos: int | None
    eos: int | None


@dataclass(frozen=True)
class Downstream:
    """A task that layers are chosen by: `score` takes the kept layers and returns its value, higher is better."""

    task: str
    limit: int | None
    score: Callable[[Sequence[int]], float]


def parse_request(recipe_name: str | None, words: tuple[str, ...], nothing: bool = False, **ways: Any) -> PruneRequest:
    """The wish that the options spell; with `nothing` it may be to cut nothing.

    Raises InputError for both or neither of recipe and target.
    """
    if (bool(recipe_name) == bool(words)) and not (nothing and not words):
        raise InputError("A pruning needs one of --recipe and --target.", "E.g. --target hidden=48 ffn=128.")
    if recipe_name:
        return PruneRequest(recipe=recipe(recipe_name), **ways)
    return PruneRequest(target=parse_target(words), **ways)


def dims_without_weights(name: str) -> tuple[str, Dense]:
    """A parent's id and dimensions from the registry, or from the config.json of a folder; no weights are touched."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve().name, dims_of(read_config(str(folder)), folder)
    model = load_registry().resolve(name)
    if not isinstance(model.architecture, Dense):
        raise InputError(f"{model.id} is a hybrid; minizoo prunes dense transformers.", "Take another parent.")
    return model.id, model.architecture


def layers_kept(parent: Parent, kept: Sequence[int]) -> Plan:
    """The plan that keeps these layers whole: a candidate of a depth search."""
    drop = tuple(sorted(set(range(parent.dims.num_layers)) - set(kept)))
    identity = ParentIdentity(name=parent.name, digest=parent.digest, dims=parent.dims)
    return make_plan(identity, child_shape(parent.dims, Target(drop=drop)), Ranking(Choice(method="depth candidate")))


def scored(
    parent: Parent,
    wish: PruneRequest,
    text: Text,
    work: Path,
    told: ProgressCallback | None = None,
    removed: int = 0,
    downstream: Downstream | None = None,
) -> Scores:
    """Measure the importance of every axis on the text, and with `downstream` each block's cost on that task; resumes
    what is in `work`. torch is imported here."""
    from zoo.prune.importance.measure import Settings, block_costs, measure

    most = parent.dims.max_context or wish.sampling.length
    sampling = replace(wish.sampling, length=min(wish.sampling.length, most))
    rows = read_calibration(text.path, text.encode, parent.dims.vocab_size, sampling, text.bos, text.eos)
    settings = Settings(
        wish.aggregation,
        wish.neurons,
        blocks=tuple(sorted({1, removed} - {0})),
        perplexity=wish.depth_by == "ppl",
    )
    scores = measure(parent, rows, settings, work, lambda done, of: told and told("scoring layers", done, of))
    if downstream is None:
        return scores
    layers, length = parent.dims.num_layers, removed if removed and wish.depth_cut == "contiguous" else 1
    base = downstream.score(range(layers))
    costs = block_costs(layers, length, base, downstream.score, work, f"{downstream.task} {downstream.limit}")
    told_settings = {
        **scores.provenance["settings"],
        "tasks": [downstream.task],
        "limit": downstream.limit,
        "base": base,
    }
    return Scores({**scores.arrays, f"task.{length}": costs}, {**scores.provenance, "settings": told_settings})


def planned(parent: ParentIdentity, wish: PruneRequest, scores: Scores | None) -> Plan | None:
    """The plan for a parent; None where units must be chosen and there are no scores to choose by."""
    shape = wish.shape(parent.dims)
    named_layers = bool(shape.drop) or not shape.removed
    if scores is None and not (named_layers and _widths_whole(shape)):
        return None
    if scores is None:
        ranking = Ranking(Choice(method="layers named in the request"))
    else:
        scores.check_dims(parent.dims, parent.digest)
        ranking = scores.ranking(0 if shape.drop else shape.removed, wish.depth_by, wish.depth_cut)
        if parent.digest is None:
            parent = parent.model_copy(update={"digest": scores.provenance.get("parent_digest")})
    if wish.recipe is not None:
        named = f"recipe {wish.recipe.child} ({wish.recipe.source}); {ranking.choice.method}"
        tasks = (*wish.recipe.chosen_on, *ranking.choice.selection_tasks)
        choice = ranking.choice.model_copy(update={"method": named, "selection_tasks": tasks})
        ranking = replace(ranking, choice=choice)
    return make_plan(parent, shape, ranking, wish.head_residual)


def read_scores(path: Path) -> Scores:
    """Scores of a file, or of a folder that --scores-only wrote."""
    return load_scores(path / "scores.safetensors" if path.is_dir() else path)


def write_scores(scores: Scores, out: Path) -> list[Path]:
    """Put scores.safetensors and the plot a layer, scores.svg, into the folder; each file is there whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    save_scores(out / "scores.safetensors", scores)
    write_atomically(out / "scores.svg", plot_scores(scores).encode())
    return [out / "scores.safetensors", out / "scores.svg"]


def write_plan(plan: Plan, out: Path) -> Path:
    """Put plan.json into the folder `out`, whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "plan.json", plan.text().encode())
    return out / "plan.json"


def work_folder(out: Path) -> Path:
    """Where the measurement of this job keeps its states: beside `out`, hidden."""
    return out.parent / f".{out.name}.scoring"


def clear_work(out: Path) -> None:
    """Drop the states once what was made of them is safe."""
    shutil.rmtree(work_folder(out), ignore_errors=True)


def _widths_whole(shape: ChildShape) -> bool:
    dims = shape.parent
    widths = {(shape.hidden, ffn, heads) for ffn, heads in zip(shape.ffn, shape.heads, strict=True)}
    return widths == {(dims.hidden_size, dims.ffn_hidden_size, dims.num_attention_heads)}
