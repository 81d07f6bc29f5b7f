"""lm-eval's own command line run in this process, with minizoo among its models, a mirror's data, and records."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.lmeval.drop_in import versions
from harness.lmeval.drop_in.foreign_errors import translated
from harness.lmeval.drop_in.parsing import asked_of, parsed
from harness.lmeval.drop_in.refusals import check_model, left_out, refuse
from harness.lmeval.drop_in.replacing import replaced
from zoo.errors import LmEvalRefused

if TYPE_CHECKING:
    from harness.lmeval.drop_in.evaluated import Evaluated

DEFAULT_MODEL = "hf"
"""lm-eval's, where neither the command line nor a configuration file names one."""
FAILED_TASK = 4
LINE = "%(asctime)s %(levelname)-8s [%(name)s:%(lineno)d] %(message)s"


@dataclass(frozen=True)
class Surroundings:
    """What minizoo adds to lm-eval's arguments."""

    mirror: Path | None
    """A local mirror of hub data sets."""
    results: Path
    """Folder of the records."""
    log: Path | None
    """The log file, for the words of an error."""
    tell: Callable[[str], None]
    """Is told what is to be known of the run beside lm-eval's own output."""


def run_command_line(words: Sequence[str], around: Surroundings) -> int:
    """Do what `lm-eval WORDS` does, and return its exit code; 4 where a task that minizoo ran was recorded as failed.

    Raises LmEvalChanged, what `refuse` and `served_data` raise, what the model raises, what `translated` makes of the rest,
    and NotWritable for records; lm-eval has written its own files by then.
    """
    versions.check(versions.COMMAND_LINE)
    try:
        with replaced(sys, "argv", ["lm-eval", *words]), translated(around.log):
            return _run(around)
    except SystemExit as leave:  # after help, and where `validate` finds something wrong
        if isinstance(leave.code, str):
            raise LmEvalRefused(f"lm-eval ends: {leave.code.rstrip('.')}.") from leave
        return leave.code or 0


def _run(around: Surroundings) -> int:
    cli, arguments = parsed()
    asked = asked_of(arguments)
    refuse(arguments.command, asked)
    if line := versions.untested():
        around.tell(line)
    if arguments.command == "run":
        return _evaluate(cli, arguments, asked, around)
    if not arguments.command:
        cli.execute(arguments)
        return 0
    from harness.lmeval.drop_in.task_index import served_index

    with _shown_lines(), served_index():
        cli.execute(arguments)
    return 0


def _evaluate(cli: Any, arguments: argparse.Namespace, asked: Mapping[str, Any], around: Surroundings) -> int:
    from zoo.checkpoint.hub.reachable import ask_early

    if around.mirror is None:
        ask_early()
    versions.check(versions.RUN)
    from lm_eval.api.registry import model_registry

    from harness.lmeval.drop_in.evaluated import held
    from harness.lmeval.drop_in.served_data import served_data
    from harness.lmeval.drop_in.task_index import served_index
    from harness.lmeval.model import NAME, register

    for line in left_out(asked.get("include_path")):
        around.tell(line)
    register()
    model = asked.get("model") or DEFAULT_MODEL
    check_model(model, model_registry)
    if model == NAME and not asked.get("device"):
        arguments.device = "auto"  # lm-eval's command line says cuda:0 where nothing is said, with or without a GPU
    done: list[Evaluated] = []
    codes = [0]
    try:
        with _shown_lines(), served_index(), served_data(around.mirror) as served, held(served.check_shots) as done:
            cli.execute(arguments)
    finally:
        codes += [_record(one, model, asked, around) for one in done]
    return max(codes)


def _record(one: Evaluated, model: str, asked: Mapping[str, Any], around: Surroundings) -> int:
    """Record an evaluation of minizoo's model and tell so; returns the exit code that it deserves."""
    from harness.lmeval.drop_in.recorded import record_run
    from harness.lmeval.model import MinizooLM
    from harness.records.files import run_folder
    from harness.records.record import SCORED

    if not isinstance(one.lm, MinizooLM):
        if path := asked.get("output_path"):
            around.tell(
                f"Nothing is recorded of --model {model}; `minizoo import` takes its results_*.json below {path}."
            )
        return 0
    try:
        records = record_run(one.lm, one.task_dict, one.results, one.facts, around.results)
    finally:
        one.lm.close()
    if not records:
        around.tell("Nothing is recorded: no answer was judged.")
        return 0
    names = ", ".join(record.task for record in records[:3])
    more = f" and {len(records) - 3} more" if len(records) > 3 else ""
    around.tell(f"Recorded: {names}{more}, in {run_folder(around.results, records[0].run_id)}.")
    failed = [record for record in records if record.status not in SCORED]
    for record in failed:
        around.tell(f"Recorded as failed: {record.task}: {record.reason}")
    for doubt in dict.fromkeys(record.reason for record in records if record.status == "unverified"):
        around.tell(f"UNVERIFIED: {doubt}. The scores are recorded and stand in no view of valid results.")
    return FAILED_TASK if failed else 0


@contextmanager
def _shown_lines() -> Generator[None]:
    """Inside, what lm-eval logs is on stderr, as its own command has it; LMEVAL_LOG_LEVEL sets the level."""
    from lm_eval.utils import setup_logging

    setup_logging()
    logger = logging.getLogger("lm_eval")
    if any(type(handler) is logging.StreamHandler for handler in logger.handlers):
        yield
        return
    shown = logging.StreamHandler()
    shown.setFormatter(logging.Formatter(LINE, datefmt="%Y-%m-%d:%H:%M:%S"))
    logger.handlers.append(shown)  # not addHandler, which a run's log refuses
    try:
        yield
    finally:
        logger.handlers.remove(shown)
