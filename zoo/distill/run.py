"""One distillation: from a request to a folder that any engine loads. Stopped anywhere, the same call goes on.

pair (cut, tokenizer) → text (rows) → [teacher corrected] → teacher (live, cache) → training → the finished folder
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.distill.lora import add_adapters, merged_weights
from zoo.distill.losses.states import layers_to_match
from zoo.distill.request import DistillRequest, check_out
from zoo.distill.result.folder import Draw, Finished, add_small_files, publish
from zoo.distill.stages.beside import TeacherBeside
from zoo.distill.stages.correcting import correct_before
from zoo.distill.stages.fitting import check_offload, fitted, work_of
from zoo.distill.stages.pair import OpenTokenizer, Pair, open_pair
from zoo.distill.stages.teaching import TeacherFolder, load_model, open_teacher
from zoo.distill.stages.text import Desk, OpenTasks, RunText, open_text
from zoo.distill.stages.told import told
from zoo.distill.tracking import Trackers, check_trackers, settings_of
from zoo.distill.train.loop import METRICS, TrainOutcome, train
from zoo.distill.train.metrics import StepMetrics, read
from zoo.distill.train.parallel import DTYPES
from zoo.distill.train.watcher import Evaluate, Measured
from zoo.distill.train.watcher import Watcher as TrainWatcher
from zoo.distill.train.world import World, open_world, telling_of_lost_ranks
from zoo.errors import Busy
from zoo.prune.progress import ProgressCallback


@dataclass(frozen=True)
class Tools:
    """What a run needs from above: tokenizers, the picture, and for tasks their texts and a checkpoint's scores."""

    open_tokenizer: OpenTokenizer
    draw: Draw
    evaluate: Evaluate | None = None
    open_tasks: OpenTasks | None = None


@dataclass(frozen=True)
class Watcher:
    """Whom a run tells: `progress` of long steps, `note` what is to be known at once, `step` of each step of a training (its
    name, what it was, of how many), `evaluated` of each measurement."""

    progress: ProgressCallback | None = None
    note: Callable[[str], None] = lambda _line: None
    step: Callable[[str, StepMetrics, int], None] = lambda _name, _metrics, _steps: None
    evaluated: Callable[[int, Measured], None] = lambda _step, _measured: None

    def of_training(self, name: str) -> TrainWatcher:
        """As the training of that name tells it."""
        return TrainWatcher(
            step=lambda metrics, steps: self.step(name, metrics, steps), note=self.note, evaluated=self.evaluated
        )

    def with_trackers(self, trackers: Trackers) -> Watcher:
        """One that tells the trackers too, after all others."""

        def step(name: str, metrics: StepMetrics, steps: int) -> None:
            self.step(name, metrics, steps)
            trackers.step(name, metrics)

        def evaluated(at: int, measured: Measured) -> None:
            self.evaluated(at, measured)
            trackers.evaluated(at, measured)

        return replace(self, step=step, evaluated=evaluated)


@dataclass(frozen=True)
class DistillOutcome:
    """What a run made: the folder and its note; of a run that a signal stopped, how far it is."""

    out: Path
    step: int
    steps: int
    stopped: str | None = None
    note: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def finished(self) -> bool:
        """Whether the folder is there."""
        return self.stopped is None


def run(request: DistillRequest, tools: Tools, watcher: Watcher | None = None) -> DistillOutcome:
    """Carry out a request; every process of a run under torchrun calls it. What is unfinished beside `out` is gone on with.

    SIGINT, SIGTERM and SIGUSR1 during the training let it finish its step, save and return. Raises OutputExists, Busy while
    another run writes `out`, and what its stages raise.
    """
    watcher = watcher or Watcher()
    check_trackers(request.trackers)
    train = request.train
    with open_world(train.parallel, request.device, offload=train.offload) as world, ExitStack() as stack:
        check_offload(train, world)
        out = check_out(request.out)
        world.first(lambda: _alone(out, stack))
        stack.enter_context(telling_of_lost_ranks(world))
        return _run(_settled(request, world), tools, watcher, world, out, stack)


def work_folder(out: Path) -> Path:
    """The hidden folder beside `out` that holds an unfinished run."""
    return out.parent / f".{out.name}.distilling"


def _run(
    request: DistillRequest, tools: Tools, watcher: Watcher, world: World, out: Path, stack: ExitStack
) -> DistillOutcome:
    work = work_folder(out)
    progress = watcher.progress if world.is_first else None
    tell = watcher.note if world.is_first else _nobody
    # the first process fetches, cuts and converts what is not there yet; the others then find it
    world.first(lambda: open_pair(request.student, request.teacher, work, tools.open_tokenizer, progress) and None)
    pair = open_pair(request.student, request.teacher, work, tools.open_tokenizer)
    request = fitted(request, pair, world, tell)
    trackers = Trackers(request.trackers, work, out.name, tell)
    stack.callback(trackers.finish)
    world.first(lambda: trackers.start(settings_of(request, world.size)))
    watcher = watcher.with_trackers(trackers)
    text = open_text(request, pair.tokenizer, Desk(work, world, tools.open_tasks, tell, progress))
    source = TeacherFolder(pair.teacher.folder, pair.teacher.name, world.first(pair.teacher.weights_digest))
    if request.correction is not None and request.correction.when == "before":
        corrected = correct_before(request, source, text, work, world, watcher.of_training("teacher correction"))
        if isinstance(corrected, TrainOutcome):
            return DistillOutcome(out, corrected.steps, request.train.steps, corrected.stopped)
        source = corrected
    digest = world.first(pair.student.weights_digest)
    trained = _train(request, tools, watcher, world, pair, text, source, work, digest)
    outcome = trained.outcome
    if outcome.stopped is not None:
        return DistillOutcome(out, outcome.steps, request.train.steps, outcome.stopped)

    def finish() -> dict[str, Any]:
        trackers.finish()
        corrected = trained.teacher.folder if trained.teacher.folder != pair.teacher.folder else None
        finished = Finished(work, outcome, read(work / METRICS), corrected, text.overlap_file)
        made = told(request, pair, text, trained.teacher, digest, trained.form, finished, world, trained.parameters)
        note = publish(finished, made, out, tools.draw)
        shutil.rmtree(work, ignore_errors=True)
        return note

    return DistillOutcome(out, outcome.steps, request.train.steps, note=world.first(finish))


def _nobody(_line: str) -> None:
    """Another process than the first tells nothing."""


@dataclass(frozen=True)
class _Trained:
    """What a training left: its outcome, the teacher that taught and in which form, the student's parameters."""

    outcome: TrainOutcome
    teacher: TeacherFolder
    form: str
    parameters: int


def _train(
    request: DistillRequest, tools: Tools, watcher: Watcher, world: World, pair: Pair, text: RunText,
    source: TeacherFolder, work: Path, digest: str,
) -> _Trained:  # fmt: skip
    """The training itself; `digest` is the student's."""
    furnish, rows, beside = add_small_files(pair.student.folder), text.rows, None
    if request.correction is not None and request.correction.when == "beside":
        teacher = beside = TeacherBeside(request, source, text.rows, layers_to_match(request.loss)[0], world)
        beside.go_on(work)
        furnish, rows, form = beside.furnish(pair.student.folder), beside.rows, "live"
    else:
        teacher, form = open_teacher(request, source, text, world, watcher.progress)
    student = load_model(pair.student.folder, DTYPES["float32"])
    parameters = sum(one.numel() for one in student.parameters())
    if request.lora is not None:
        student.to(DTYPES[request.train.dtype])  # pyright: ignore[reportArgumentType, reportCallIssue] (stub)
        add_adapters(student, request.lora, request.train.seed)
        digest = f"{digest} adapters of rank {request.lora}"
    outcome = train(
        student, teacher, rows, request.loss, request.train, work,
        student_digest=digest,
        world=world,
        evaluate=tools.evaluate,
        watcher=watcher.of_training("training"),
        furnish=furnish,
        as_stored=merged_weights if request.lora is not None else None,
        work=work_of(request, pair, world),
    )  # fmt: skip
    if beside is not None and outcome.stopped is None:
        source = beside.write(work / "teacher")
    return _Trained(outcome, source, form, parameters)


def _alone(out: Path, stack: ExitStack) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = out.parent / f".{out.name}.distilling.lock"
    try:
        stack.enter_context(FileLock(lock, timeout=0))
    except Timeout:
        raise Busy(f"Another run is distilling {out}.", "Wait for it, or give another --out.") from None
    stack.callback(lambda: lock.unlink(missing_ok=True))


def _settled(request: DistillRequest, world: World) -> DistillRequest:
    """The request with the dtype of the device, where none was asked for: bf16 on a GPU, on a CPU float32."""
    if request.dtype_asked:
        return request
    dtype = "bfloat16" if world.device.type == "cuda" else "float32"
    return replace(request, train=replace(request.train, dtype=dtype))
