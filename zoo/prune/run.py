"""One pruning run: from a request to scores, a plan or a child."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.arch.hf_config import read_config
from zoo.checkpoint.locate import locate
from zoo.checkpoint.model_ref import resolve
from zoo.checkpoint.precision import check_unquantised
from zoo.errors import ConflictingOptions
from zoo.prune.calibration import CalibrationText, read_calibration
from zoo.prune.parent import Parent, open_parent
from zoo.prune.plan import ParentIdentity, Plan, UnitSelection, read_plan, write_plan
from zoo.prune.progress import ProgressCallback
from zoo.prune.request import DepthTask, PruneRequest
from zoo.prune.scores import DrawScores, Scores, load_scores, write_scores
from zoo.prune.selection import Ranking, plan_from_ranking
from zoo.prune.target import ChildShape
from zoo.prune.write.writer import write_child, write_virtual

OpenText = Callable[[Path, Path], CalibrationText]
"""Takes the parent's folder and a file of text; gives the text with the parent's tokenizer."""
OpenTask = Callable[[Parent, DepthTask, Path], Callable[[Sequence[int]], float]]
"""Takes parent, task and a work folder; gives a function from the kept layers to the task's value (higher is better)."""


@dataclass(frozen=True)
class PruneOutcome:
    """What a run made: the child's shape and plan (None where no units were chosen), scores, and the files of the scores."""

    shape: ChildShape
    plan: Plan | None = None
    scores: Scores | None = None
    score_files: tuple[Path, ...] = ()


def run(
    request: PruneRequest,
    *,
    open_text: OpenText,
    open_task: OpenTask,
    draw: DrawScores,
    progress: ProgressCallback | None = None,
) -> PruneOutcome:
    """Carry out a request; a measurement that was interrupted is resumed.

    `open_text` is called to measure on text, `open_task` to choose layers by a task, `draw` where scores are written.
    Raises ConflictingOptions where units must be chosen and the request names nothing to choose by.
    """
    if request.plan_file is not None:
        plan = read_plan(request.plan_file)
        return PruneOutcome(plan.shape, plan) if request.product == "plan" else _cut(request, plan, draw, progress)
    if not request.needs_weights:
        return _preview(request)
    parent = _open(request)
    shape = request.shape(parent.dims)  # an impossible target is refused before anything is measured
    out = _out(request)
    scores = load_scores(request.scores_file) if request.scores_file else None
    if request.calibration_file:
        scores = score_importance(parent, request, open_text, open_task, progress)
    if request.product == "scores" and scores:
        outcome = PruneOutcome(shape, None, scores, tuple(write_scores(scores, out, draw)))
    else:
        plan = build_plan(parent.identity, request, scores)
        if plan is None:
            raise ConflictingOptions(
                "Which units stay is chosen by importance.", "Give --calibration FILE or --scores FILE."
            )
        if request.product == "plan":
            write_plan(plan, out)
            outcome = PruneOutcome(shape, plan, scores)
        else:
            outcome = _cut(request, plan, draw, progress, parent, scores)
    shutil.rmtree(work_folder(out), ignore_errors=True)
    return outcome


def score_importance(
    parent: Parent,
    request: PruneRequest,
    open_text: OpenText,
    open_task: OpenTask,
    progress: ProgressCallback | None = None,
) -> Scores:
    """Measure the importance of every axis on the request's calibration data, and with a depth task the cost of each block.

    The work folder keeps the state of the measurement; the same call resumes it.
    """
    from zoo.prune.importance.measure import ImportanceSettings, measure  # imports torch

    file, work = request.calibration_file, work_folder(_out(request))
    if file is None:
        raise ConflictingOptions("There is nothing to measure importance on.", "Give --calibration FILE.")
    removed = request.shape(parent.dims).unnamed
    longest = parent.dims.max_context or request.sampling.length
    sampling = replace(request.sampling, length=min(request.sampling.length, longest))
    text = CalibrationText(file) if file.suffix == ".npy" else open_text(parent.folder, file)
    rows = read_calibration(text, parent.dims.vocab_size, sampling)
    settings = ImportanceSettings(
        request.aggregation,
        request.neurons,
        blocks=tuple(sorted({1, removed} - {0})),
        perplexity=request.depth_by == "ppl",
    )
    scores = measure(parent, rows, settings, work, progress)
    if request.depth_task is None:
        return scores
    length = removed if removed and request.depth_cut == "contiguous" else 1
    return _with_task_costs(scores, parent, request.depth_task, length, open_task, work)


def build_plan(parent: ParentIdentity, request: PruneRequest, scores: Scores | None) -> Plan | None:
    """The plan of a request; None where units must be chosen and there are no scores to choose by.

    Raises OtherParent for scores of another parent, InvalidScores where they lack an axis that is cut.
    """
    shape = request.shape(parent.dims)
    if scores is None:
        if not _names_all_units(shape):
            return None
        ranking = Ranking(UnitSelection(method="layers named in the request"))
    else:
        scores.check_dims(parent.dims, parent.digest)
        ranking = scores.ranking(shape, request.depth_by, request.depth_cut)
        if parent.digest is None:
            parent = parent.model_copy(update={"digest": scores.provenance.get("parent_digest")})
    if request.recipe is not None:
        method = f"recipe {request.recipe.child} ({request.recipe.source}); {ranking.selection.method}"
        tasks = (*request.recipe.chosen_on, *ranking.selection.selection_tasks)
        selection = ranking.selection.model_copy(update={"method": method, "selection_tasks": tasks})
        ranking = replace(ranking, selection=selection)
    return plan_from_ranking(parent, shape, ranking, request.head_residual)


def work_folder(out: Path) -> Path:
    """The hidden folder beside `out` that holds the state of an unfinished measurement."""
    return out.parent / f".{out.name}.scoring"


def _preview(request: PruneRequest) -> PruneOutcome:
    """The shape, and the plan where it can be made, from the registry or config.json alone."""
    ref = resolve(request.parent)
    if ref.folder is not None:
        check_unquantised(read_config(ref.folder), ref.folder)
    parent = ParentIdentity(name=ref.shown, dims=ref.dense_dims)
    scores = load_scores(request.scores_file) if request.scores_file else None
    plan = build_plan(parent, request, scores)
    if plan is not None and request.out is not None:
        write_plan(plan, request.out)
    return PruneOutcome(request.shape(parent.dims), plan, scores)


def _cut(
    request: PruneRequest,
    plan: Plan,
    draw: DrawScores,
    progress: ProgressCallback | None,
    parent: Parent | None = None,
    scores: Scores | None = None,
) -> PruneOutcome:
    parent = parent or _open(request)
    if request.product == "virtual":
        write_virtual(plan, parent, _out(request), scores, draw)
    else:
        write_child(plan, parent, _out(request), request.shard_bytes, progress, scores, draw)
    return PruneOutcome(plan.shape, plan, scores)


def _open(request: PruneRequest) -> Parent:
    checkpoint = locate(request.parent)
    return open_parent(checkpoint.folder, checkpoint.name)


def _out(request: PruneRequest) -> Path:
    if request.out is None:
        raise ConflictingOptions("There is nowhere to write to.", "Give --out DIR.")
    return request.out


def _with_task_costs(
    scores: Scores, parent: Parent, task: DepthTask, length: int, open_task: OpenTask, work: Path
) -> Scores:
    """The scores with `task.N`: what removing each block of N = `length` layers costs on the task."""
    from zoo.prune.importance.measure import block_costs

    score = open_task(parent, task, work)
    base = score(range(parent.dims.num_layers))
    costs = block_costs(parent.dims.num_layers, length, base, score, work, f"{task.name} {task.limit}")
    settings = {**scores.provenance["settings"], "tasks": [task.name], "limit": task.limit, "base": base}
    return Scores({**scores.arrays, f"task.{length}": costs}, {**scores.provenance, "settings": settings})


def _names_all_units(shape: ChildShape) -> bool:
    """Whether nothing is left to choose: all widths stay whole, and layers that are removed are named."""
    dims = shape.parent
    widths = {(shape.hidden, ffn, heads) for ffn, heads in zip(shape.ffn, shape.heads, strict=True)}
    whole = widths == {(dims.hidden_size, dims.ffn_hidden_size, dims.num_attention_heads)}
    return whole and not shape.unnamed
