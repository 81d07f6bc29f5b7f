"""One pruning run: from a request to scores, a plan or a child."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from zoo.arch.dims import Dense
from zoo.checkpoint.locate import locate
from zoo.checkpoint.model_ref import resolve
from zoo.checkpoint.precision import check_whole
from zoo.errors import Busy, ConflictingOptions, InputError
from zoo.prune.calibration import CalibrationText, read_calibration
from zoo.prune.importance.block_costs import Score, block_costs, remembered
from zoo.prune.importance.cost import MeasurementCost
from zoo.prune.importance.settings import Computing, ImportanceSettings
from zoo.prune.parent import Parent, open_parent
from zoo.prune.plan import ParentIdentity, Plan, read_plan, write_plan
from zoo.prune.request import DepthTask, PruneRequest
from zoo.prune.scores import DrawScores, Scores, load_scores, unranked, write_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import ChildShape
from zoo.prune.watcher import Watcher
from zoo.prune.write.writer import check_child_space, write_child, write_virtual

OpenText = Callable[[Path, Path], CalibrationText]
"""Takes the parent's folder and a file of text; gives the text with the parent's tokenizer."""
OpenTask = Callable[[Parent, DepthTask, Path, str], Score]
"""Takes parent, task, a work folder and a device; gives a function from the kept layers to the task's value (higher is
better)."""


@dataclass(frozen=True)
class PruneOutcome:
    """What a run made: the child's shape and plan (None where no units were chosen), scores, and the files of the scores.

    `cost` is what their measurement took, or would take where it was not made.
    """

    shape: ChildShape
    plan: Plan | None = None
    scores: Scores | None = None
    score_files: tuple[Path, ...] = ()
    cost: MeasurementCost | None = None


def run(
    request: PruneRequest, *, open_text: OpenText, open_task: OpenTask, draw: DrawScores, watcher: Watcher | None = None
) -> PruneOutcome:
    """Carry out a request; a measurement that was interrupted is resumed.

    `open_text` is called to measure on text, `open_task` to choose layers by a task, `draw` where scores are written.
    Raises UnsupportedDtype for a parent that is quantised, and ConflictingOptions where units must be chosen and the request
    names nothing to choose by.
    """
    watcher = watcher or Watcher()
    check_whole(resolve(request.parent))
    if request.plan_file is not None:
        plan = read_plan(request.plan_file)
        return PruneOutcome(plan.shape, plan) if request.product == "plan" else _cut(request, plan, draw, watcher)
    if not request.needs_weights:
        return _preview(request)
    parent = _open(request, watcher)
    shape = request.shape(parent.dims)  # an impossible target is refused before anything is measured
    out = _out(request)
    scores = load_scores(request.scores_file) if request.scores_file else None
    measured = request.calibration_file is not None and (request.product == "scores" or shape.choosing)
    if measured:
        scores = score_importance(parent, request, open_text, open_task, watcher)
    elif not shape.choosing and (request.calibration_file or scores):
        watcher.note(
            f"Nothing is left to choose, so no scores are {'used' if scores else 'measured'}: {_all_named(shape)}."
        )
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
            outcome = _cut(request, plan, draw, watcher, parent, scores)
    shutil.rmtree(work_folder(out), ignore_errors=True)
    return replace(outcome, cost=_cost_of(request, parent.dims, scores) if measured and scores else None)


def score_importance(
    parent: Parent, request: PruneRequest, open_text: OpenText, open_task: OpenTask, watcher: Watcher | None = None
) -> Scores:
    """Measure the importance of every axis on the request's calibration data, and with a depth task the cost of each block.

    The work folder keeps the state of the measurement; the same call resumes it. Raises Busy while another run does.
    """
    from zoo.prune.importance.devices import dtype_for, find_devices  # imports torch
    from zoo.prune.importance.measure import measure

    watcher = watcher or Watcher()
    file, work = request.calibration_file, work_folder(_out(request))
    if file is None:
        raise ConflictingOptions("There is nothing to measure importance on.", "Give --calibration FILE.")
    devices = find_devices(request.device)
    computing = Computing(devices, dtype_for(request.dtype, devices, parent))
    settings = ImportanceSettings(
        request.aggregation, request.neurons, request.block_lengths(parent.dims), perplexity=request.depth_by == "ppl"
    )
    with _alone(_out(request)):
        text = CalibrationText(file) if file.suffix.lower() == ".npy" else open_text(parent.folder, file)
        text = replace(text, column=request.text_column or text.column)
        rows = read_calibration(text, parent.dims.vocab_size, request.sampling, parent.dims.max_context)
        if rows.is_short:
            watcher.note(f"Calibration: {rows.described}, in {rows.name}.")
        if request.product == "child":
            check_child_space(parent, request.shape(parent.dims), _out(request))
        score = _task_score(parent, request, open_task, computing, watcher)
        scores = measure(parent, rows, settings, work / "importance", watcher.progress, computing, watcher.estimated)
        return scores if score is None else _with_task_costs(scores, parent, request, score, watcher)


def build_plan(parent: ParentIdentity, request: PruneRequest, scores: Scores | None) -> Plan | None:
    """The plan of a request; None where units must be chosen and there are no scores to choose by.

    Raises OtherParent for scores of another parent, InvalidScores where they lack an axis that is cut.
    """
    shape = request.shape(parent.dims)
    if scores is None:
        if shape.choosing:
            return None
        ranking = unranked(shape, request.named_in)
    else:
        scores.check_dims(parent.dims, parent.digest)
        ranking = scores.ranking(shape, request.depth_by, request.depth_cut, request.named_in)
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
    parent = ParentIdentity(name=ref.shown, dims=ref.dense_dims)
    scores = load_scores(request.scores_file) if request.scores_file else None
    plan = build_plan(parent, request, scores)
    if plan is not None and request.out is not None:
        write_plan(plan, request.out)
    cost = request.cost(parent.dims) if plan is None else None
    return PruneOutcome(request.shape(parent.dims), plan, scores, cost=cost)


def _cut(
    request: PruneRequest,
    plan: Plan,
    draw: DrawScores,
    watcher: Watcher,
    parent: Parent | None = None,
    scores: Scores | None = None,
) -> PruneOutcome:
    parent = parent or _open(request, watcher)
    used = scores if plan.chosen.scores_digest else None  # scores that chose nothing say nothing of the child
    if request.product == "virtual":
        write_virtual(plan, parent, _out(request), used, draw)
    else:
        write_child(plan, parent, _out(request), request.shard_bytes, watcher.progress, used, draw)
    return PruneOutcome(plan.shape, plan, scores)


def _open(request: PruneRequest, watcher: Watcher) -> Parent:
    checkpoint = locate(request.parent, watcher.fetched)
    return open_parent(checkpoint.folder, checkpoint.name)


def _out(request: PruneRequest) -> Path:
    if request.out is None:
        raise ConflictingOptions("There is nowhere to write to.", "Give --out DIR.")
    return request.out


@contextlib.contextmanager
def _alone(out: Path) -> Generator[None]:
    """Hold the measurement of `out`; the system lets go of a process that was killed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = out.parent / f".{out.name}.scoring.lock"
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                _drop_empty(work_folder(out))
                lock.unlink(missing_ok=True)
    except Timeout:
        raise Busy(f"Another run is measuring importance for {out}.", "Wait for it, or give another --out.") from None


def _drop_empty(work: Path) -> None:
    """Remove the work folder where nothing in it could be gone on with."""
    for folder in (*work.glob("*"), work):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _task_score(
    parent: Parent, request: PruneRequest, open_task: OpenTask, computing: Computing, watcher: Watcher
) -> Score | None:
    """The depth task as a function of the kept layers. The whole model is scored at once: what cannot be scored is refused
    before hours go into importance.
    """
    task, device = request.depth_task, computing.devices[0]
    if task is None:
        return None
    if len(computing.devices) > 1:
        watcher.note(f"Models are scored by {task.name} on {device} alone; rows are shared over all devices.")
    work = work_folder(_out(request)) / "task"
    key = f"{parent.digest} {task.name} {task.limit} {request.dtype} {device.split(':')[0]}"
    score = remembered(open_task(parent, task, work, device), work, key)
    try:
        score(range(parent.dims.num_layers))
    except InputError:
        shutil.rmtree(work, ignore_errors=True)  # nothing in it is of use to a task that there is
        raise
    return score


def _with_task_costs(scores: Scores, parent: Parent, request: PruneRequest, score: Score, watcher: Watcher) -> Scores:
    """The scores with `task.N`: what removing each block of N layers costs on the task."""
    task, length = request.depth_task, request.task_block(parent.dims)
    if task is None:
        return scores
    base, costs = block_costs(parent.dims.num_layers, length, score, watcher.progress)
    settings = {**scores.provenance["settings"], "tasks": [task.name], "limit": task.limit, "base": base}
    return Scores({**scores.arrays, f"task.{length}": costs}, {**scores.provenance, "settings": settings})


def _cost_of(request: PruneRequest, dims: Dense, scores: Scores) -> MeasurementCost:
    rows, length = scores.provenance["calibration_shape"]
    return request.cost(dims, rows, length)


def _all_named(shape: ChildShape) -> str:
    return "the request names the layers that go" if shape.removed else "nothing is cut"
