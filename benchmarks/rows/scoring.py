"""Scoring beside lm-eval's own HF model (HFLM) on a part of each task, and whether it conforms with an fp32 forward pass.

    python -m benchmarks.rows.scoring --model minitron-4b --weights random --device cuda --data DIR --reference-minutes 8

The part is chosen by hash, as large as the reference scores in its time. Each task leaves a record as soon as it is done, which
stays whatever happens after. Nothing is fetched. Exit code 3: something was left; 4: a task could not be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.rows.scored.measure import Budget, measure
from benchmarks.rows.scored.process import EngineFailed, EngineProcess, Job, Start
from benchmarks.rows.scored.record import Began, Recorder, line_of
from benchmarks.rows.scored.subject import Scored, find_model, find_tokenizer
from benchmarks.rows.scored.tasks import Skipped, load_part, wanted
from harness.data.offline import hub_offline
from harness.records.record import Record, Setting
from harness.speed.request import LONGEST_MINUTES
from harness.speed.trials.early_end import EarlyEnd, Limits
from harness.suites.suite import Suite
from minizoo.failures import as_error
from minizoo.options import names_of
from minizoo.output import note, show_error
from zoo.errors import BackendBroke, FileMissing, InvalidOption, MinizooError, causes
from zoo.files import check_writable

LEFT, NOT_MEASURED = 3, 4
"""Exit codes."""


@dataclass(frozen=True)
class Outcome:
    """What a run left: its records, what it skipped and why, and where its time was up what it did not begin."""

    run_id: str
    records: tuple[Record, ...]
    skipped: tuple[Skipped, ...] = ()
    not_begun: tuple[str, ...] = ()
    ended: EarlyEnd | None = None

    @property
    def exit_code(self) -> int:
        """0 where everything was measured."""
        if any(record.status != "ok" for record in self.records):
            return NOT_MEASURED
        return LEFT if self.skipped or self.not_begun else 0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "run_id": self.run_id,
            "records": [record.model_dump(mode="json") for record in self.records],
            "ended": asdict(self.ended) if self.ended else None,
            "not_begun": list(self.not_begun),
            "skipped": [asdict(one) for one in self.skipped],
        }


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    args = arguments(words)
    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns of each task that it is given no words of its own
    try:
        with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print is not part of the answer
            outcome = run(args, ["python", "-m", "benchmarks.rows.scoring", *words])
    except (Exception, KeyboardInterrupt) as error:
        return show_error(as_error(error), args.json)
    print_outcome(outcome, args.json)
    return outcome.exit_code


def run(args: argparse.Namespace, command: list[str], start: Start = EngineProcess) -> Outcome:
    """Score every task in turn, until the time is up.

    Raises InvalidOption, FileMissing and NotWritable for the options, UnknownTask, DeviceMissing, UnsupportedDtype, and what
    `find_model` and `find_tokenizer` raise.
    """
    limits = Limits(None if args.max_minutes is None else time.monotonic() + 60 * args.max_minutes)
    _check(args)
    check_writable(args.results)
    with hub_offline(), tempfile.TemporaryDirectory() as scratch:
        model = find_model(args.model, args.weights, args.seed)
        tokenizer = find_tokenizer(args.tokenizer, model, Path(scratch))
        tasks = wanted(args.tasks, model.checkpoint.ref, args.data)
        setting = _setting(args, command, start)
        recorder = Recorder(args.results, model, tokenizer, setting, tasks.note)
        todo = [suite for suite in tasks.suites if suite.tasks[0].task not in args.skip]
        share = 60 * args.reference_minutes * len(todo) / max(1, len(tasks.suites))
        scoring = Scoring(_job(model, tokenizer.folder, setting), args.data, recorder, start, limits)
        return scoring.run(todo, Budget(share, len(todo)), tasks.skipped)


@dataclass(frozen=True)
class Scoring:
    """How a run goes from task to task."""

    job: Job
    data: Path | None
    recorder: Recorder
    start: Start
    limits: Limits

    def run(self, todo: Sequence[Suite], budget: Budget, skipped: Sequence[Skipped]) -> Outcome:
        """Every task that is begun before the time is up. One that has no data is skipped, one whose engine breaks recorded."""
        records: list[Record] = []
        left, names = list(skipped), [suite.tasks[0].task for suite in todo]
        for place, suite in enumerate(todo):
            if ended := self.limits.time_up(time.monotonic()):
                return Outcome(self.recorder.run_id, tuple(records), tuple(left), tuple(names[place:]), ended)
            note(f"scoring {names[place]} …")
            done = self._score(suite, budget)
            if isinstance(done, Record):
                records.append(done)
                note(line_of(done))
            else:
                left.append(done)
                note(f"{done.task} is skipped: {done.reason}")
        return Outcome(self.recorder.run_id, tuple(records), tuple(left))

    def _score(self, suite: Suite, budget: Budget) -> Record | Skipped:
        began, name = Began(), suite.tasks[0].task
        try:
            part = load_part(suite, self.data)
        except MinizooError as error:
            budget.tasks -= 1
            return Skipped(name, str(error))
        try:
            done = measure(part, {**self.job, "task": name}, self.start, budget, self._most())
        except EngineFailed as failure:
            return self.recorder.failed(part, failure, began)
        except MinizooError as error:  # data that do not suit the task
            return Skipped(name, str(error))
        return self.recorder.measured(part, done, began)

    def _most(self) -> float | None:
        """Seconds that the reference may take, however large its share: half of those that are left."""
        deadline = self.limits.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic()) / 2


def print_outcome(outcome: Outcome, as_json: bool) -> None:
    """To stdout: JSON, or a line a task."""
    if as_json:
        print(json.dumps(outcome.document(), indent=1, ensure_ascii=False))
        return
    for record in outcome.records:
        print(line_of(record))
    for one in outcome.skipped:
        print(f"{one.task} was skipped: {one.reason}")
    if outcome.ended:
        print(f"{outcome.ended.text}; not begun: {', '.join(outcome.not_begun)}")


def _job(model: Scored, tokenizer: Path, setting: Setting) -> Job:
    """What all engines are told."""
    return {
        "model": model.word, "random": model.weights == "random", "seed": setting.seed, "tokenizer": str(tokenizer),
        "device": setting.device, "dtype": setting.dtype, "threads": None, "batch_size": 1, "row_budget": 0,
        "command": shlex.split(setting.command),
    }  # fmt: skip


def _setting(args: argparse.Namespace, command: list[str], start: Start) -> Setting:
    """Where the run runs, asked in a process of its own, for a CUDA context takes memory that is the engines'.

    Raises what the device or the dtype is refused with.
    """
    job = {"device": args.device, "dtype": args.dtype, "seed": args.seed, "command": command, "threads": None}
    try:
        with start({**job, "engine": "none"}) as asked:
            return Setting.model_validate(asked.ask()["setting"])
    except EngineFailed as failure:
        cause = next((cause for cause in causes() if cause.code == failure.code), BackendBroke)
        raise cause(failure.text, failure.hint) from None


def _check(args: argparse.Namespace) -> None:
    for option in ("reference_minutes", "max_minutes"):
        value = getattr(args, option)
        if value is not None and not 0 < value < LONGEST_MINUTES:
            raise InvalidOption(f"{value:g} is no time.", f"--{option.replace('_', '-')} is a number above 0.")
    if args.data is not None and not args.data.is_dir():
        raise FileMissing(
            f"{args.data} is not a folder.", "Give the mirror that `minizoo data pull` filled, or leave --data out."
        )


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The options; --data and --results as minizoo's commands take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder: Callable[[str], Path] = lambda text: Path(text).expanduser()  # noqa: E731
    known = {name: folder(text) for name in ("DATA", "RESULTS") if (text := os.environ.get(f"MINIZOO_{name}"))}
    parser.add_argument("--model", required=True)
    parser.add_argument("--tasks", type=names_of, default=(), help="default: those of the papers' suite")
    parser.add_argument("--skip", type=names_of, default=(), help="tasks that are done already")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--weights", choices=["real", "random"], default="real")
    parser.add_argument("--data", type=folder, default=known.get("DATA"), help="local mirror of hub data sets")
    parser.add_argument("--tokenizer", type=folder, help="folder; default: the model's own where it is here")
    parser.add_argument("--reference-minutes", type=float, default=8.0, help="of the reference over all tasks")
    parser.add_argument("--max-minutes", type=float, help="past them no task begins")
    parser.add_argument("--results", type=folder, default=known.get("RESULTS", Path("results")))
    parser.add_argument("--seed", type=int, default=0, help="of random weights")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
