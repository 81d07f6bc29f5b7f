"""Who else is told of a run's settings, steps and scores: accelerate's trackers, on the first rank alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.distill.request import DistillRequest
from zoo.distill.result.folder import LOGS
from zoo.distill.train.loop import METRICS
from zoo.distill.train.metrics import StepMetrics, read
from zoo.distill.train.watcher import Measured
from zoo.errors import InvalidOption, PackageMissing, TrackerBroken, one_line
from zoo.names import unknown

PACKAGES = {"tensorboard": "tensorboardX", "comet_ml": "comet-ml", "aim": "'aim<4'"}
"""What pip calls a tracker, where that is not its name. torch writes for TensorBoard by either of two packages."""
MANY = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "PMI_SIZE",
    "OMPI_COMM_WORLD_SIZE",
    "MV2_COMM_WORLD_SIZE",
)
"""Variables by which accelerate takes a process for one of many."""
TRAININGS = {"training": ("train", METRICS), "teacher correction": ("correction", f"correction/{METRICS}")}
"""A training's name → how its figures are named, and where in the run's folder its steps stand."""
NOT_FIGURES = ("step", "batch")
"""Of a step's line: what is no quantity over steps."""
Plain = bool | int | float | str


def check_trackers(names: Sequence[str]) -> None:
    """Raise InvalidOption for a tracker that accelerate does not know, PackageMissing for one that is not installed."""
    if not names:
        return
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
    from accelerate.utils import LoggerType

    here = {str(one) for one in get_available_trackers()}
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise unknown(
                InvalidOption, "tracker", name, LOGGER_TYPE_TO_CLASS, f"Trackers: {', '.join(LOGGER_TYPE_TO_CLASS)}."
            )
        if name in LoggerType.list() and name not in here:  # others were registered by whoever runs this
            package = PACKAGES.get(name, name)
            raise PackageMissing(
                f"The tracker {name} is not installed.", f"Run `pip install {package}`, or leave --tracker {name} away."
            )


class Trackers:
    """Those that were asked for and still answer. One that fails is told of once, and the run goes on without it.

    `run` is the folder of an unfinished run: steps that stand in its metrics.jsonl were told before a kill, and what is taken
    again is not told again, so that step numbers only grow.
    """

    def __init__(self, names: Sequence[str], run: Path, name: str, note: Callable[[str], None]) -> None:
        self._names, self._run, self._name, self._note = dict.fromkeys(names), run, name, note
        self._live: dict[str, Any] = {}
        self._told: dict[str, int] = {}

    def start(self, settings: Mapping[str, Plain]) -> None:
        """Open them, and give them the run's settings. Raises TrackerBroken, before anything is computed."""
        if not self._names:
            return
        _as_one_process()
        self._told = {name: _last_step(self._run / file) for name, (_, file) in TRAININGS.items()}
        begun = (self._run / LOGS).is_dir()
        for name in self._names:
            try:
                self._live[name] = self._opened(name, settings, begun)
            except Exception as error:
                raise TrackerBroken(
                    f"The tracker {name} did not start ({type(error).__name__}: {one_line(error)}).",
                    f"Set it up as its own pages say, or leave --tracker {name} away.",
                ) from error

    def step(self, training: str, metrics: StepMetrics) -> None:
        """Tell of a step of the training of that name, unless it was told before the run was stopped."""
        if metrics.step > self._told.get(training, 0):
            figures = {key: one for key, one in asdict(metrics).items() if key not in NOT_FIGURES and one is not None}
            self._log({f"{TRAININGS[training][0]}/{key}": one for key, one in figures.items()}, metrics.step)

    def evaluated(self, step: int, measured: Measured) -> None:
        """Tell what a checkpoint scored."""
        self._log({"tasks/all": measured.value, **{f"tasks/{name}": one for name, one in measured.tasks.items()}}, step)

    def finish(self) -> None:
        """Close them; a second call does nothing."""
        for name in list(self._live):
            self._do(name, lambda tracker: tracker.finish(), "at the end")
            self._live.pop(name, None)

    def _opened(self, name: str, settings: Mapping[str, Plain], begun: bool) -> Any:
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        kind: Any = LOGGER_TYPE_TO_CLASS[name]
        in_files = kind.requires_logging_directory
        tracker = kind(self._name, str(self._run / LOGS), **self._own(name)) if in_files else kind(self._name)
        tracker.main_process_only = False  # this is the first rank, and no other asks
        if hasattr(tracker, "start"):  # before accelerate 1.11 a tracker was open once it was made
            tracker.start()
        if not (in_files and begun):  # TensorBoard shows settings that are stored again as a run more
            tracker.store_init_configuration(dict(settings))
        return tracker

    def _own(self, name: str) -> dict[str, Any]:
        """What a tracker is opened with: TensorBoard names files by the second, and a run that goes on at once has another."""
        if name != "tensorboard":
            return {}
        return {"filename_suffix": f".{sum(1 for _ in (self._run / LOGS).rglob('events.out.*'))}"}

    def _log(self, values: dict[str, Any], step: int) -> None:
        for name in list(self._live):
            self._do(name, lambda tracker: tracker.log(values, step=step), f"at step {step:,}")

    def _do(self, name: str, action: Callable[[Any], object], when: str) -> None:
        try:
            action(self._live[name])
        except Exception as error:  # somebody else's code, disk or network: no reason to lose a training
            del self._live[name]
            self._note(
                f"The tracker {name} failed {when} ({type(error).__name__}: {one_line(error)}) and is told nothing more; "
                "the run goes on, and metrics.jsonl has every step."
            )


def settings_of(request: DistillRequest, processes: int) -> dict[str, Plain]:
    """The run's settings as flat names and plain values, which is what every tracker takes; without what is not set."""
    said = {
        "student": request.student,
        "teacher": request.teacher,
        "data": request.data,
        "tokens": request.tokens,
        "recipe": request.recipe.student if request.recipe else None,
        "processes": processes,
        "lora": request.lora,
        "cache": request.cache,
        "loss": asdict(request.loss),
        "training": asdict(request.train),
        "correction": asdict(request.correction) if request.correction else None,
    }
    return dict(_flat("", said))


def _flat(prefix: str, said: Mapping[str, Any]) -> Iterator[tuple[str, Plain]]:
    for key, value in said.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        elif isinstance(value, Plain):
            yield f"{prefix}{key}", value
        elif value is not None:
            yield f"{prefix}{key}", ", ".join(map(str, value))


def _last_step(metrics: Path) -> int:
    return max((each["step"] for each in read(metrics)), default=0)


def _as_one_process() -> None:
    """Let accelerate know of this process alone, as its classes want before they log.

    It would join what torchrun started, on its own terms: a second process group, another device, other threads.
    """
    from accelerate.state import PartialState

    held = {name: os.environ.pop(name) for name in MANY if name in os.environ}
    try:
        PartialState(cpu=True)
    finally:
        os.environ.update(held)
