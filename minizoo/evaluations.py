"""One evaluation, or several in turn: refusals of all first, then a run each; what fails is told, and the next goes on."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.failures import as_error
from minizoo.output import Output, note, show_error, told_error
from minizoo.run_log import TERMINAL
from zoo.errors import ConflictingOptions, MinizooError

if TYPE_CHECKING:
    from harness.accuracy.prepare import EvalRequest, Evaluation
    from harness.records.record import Record
    from minizoo.display.progress import EvalProgress

WORST_FIRST = (70, 4, 2, 3, 1, 0)
"""Exit codes: of several models' the first of these is the command's."""
FAILED_TASK = 4
UNVERIFIED = 3


@dataclass
class _Turn:
    """One model of the command: what became of it."""

    request: EvalRequest
    evaluation: Evaluation | None = None
    code: int = 0
    document: dict[str, Any] = field(default_factory=dict[str, Any])
    record: Record | None = None
    """One of its run."""


def evaluate_all(output: Output, requests: Sequence[EvalRequest], results: Path, fresh: bool) -> int:
    """Run each request and show it; returns the worst exit code.

    One request raises what `harness.accuracy.run.run` raises. Of several an error is told and the next goes on; an interrupt
    ends the command.
    """
    from harness.accuracy.run import prepared

    turns = [_Turn(request) for request in _distinct(requests)]
    alone = len(turns) == 1

    def prepare(turn: _Turn) -> None:
        with _progress(output, turn.request) as progress:
            turn.evaluation = prepared(turn.request, results, progress)

    def run(turn: _Turn) -> None:
        if turn.evaluation is not None:
            evaluation, turn.evaluation = turn.evaluation, None
            turn.code, turn.document, turn.record = _run(output, evaluation, results, fresh)

    for step in (prepare, run):
        for turn in turns:
            _go(turn, step, alone, step is run and not output.as_json)
    return _finished(output, "evaluation", turns, {} if alone else _recoveries(output, turns, results))


def plan_all(
    output: Output, requests: Sequence[EvalRequest], results: Path, tokenizer: Path | None, probes: bool = True
) -> int:
    """Show what each request would run, and run nothing but a probe of its time, with `probes`; returns the worst exit code."""
    from harness.accuracy.dry_run import dry_run
    from minizoo.display.dry_run import show_dry_run

    turns = [_Turn(request) for request in _distinct(requests)]

    def plan(turn: _Turn) -> None:
        planned = dry_run(turn.request, tokenizer)
        turn.document = show_dry_run(output, planned, results, turn.request.data is not None, probes)

    for turn in turns:
        _go(turn, plan, len(turns) == 1, False)
    return _finished(output, "plan", turns)


def _run(output: Output, evaluation: Evaluation, results: Path, fresh: bool) -> tuple[int, dict[str, Any], Record]:
    """The exit code, the document and a record of one run, which is shown."""
    from harness.accuracy.run import run_prepared
    from minizoo.display.accuracy import show_outcome

    with _progress(output, evaluation.request) as progress:
        outcome = run_prepared(evaluation, results, fresh, progress)
    document = show_outcome(output, outcome, results)
    return _exit_code(outcome.records), document, outcome.records[0]


def _exit_code(records: Sequence[Record]) -> int:
    """What a run deserves: a task that failed outweighs a backend of which nothing is believed."""
    found = {record.status for record in records}
    return 0 if found <= {"ok"} else UNVERIFIED if found <= {"ok", "unverified"} else FAILED_TASK


def _progress(output: Output, request: EvalRequest) -> EvalProgress:
    from minizoo.display.progress import EvalProgress

    return EvalProgress(quiet=output.as_json, packs=not request.options.eager)


def _distinct(requests: Sequence[EvalRequest]) -> Sequence[EvalRequest]:
    """The requests; ConflictingOptions where two words mean one model. A word that means none is left to its turn."""
    seen: dict[object, str] = {}
    for request in requests if len(requests) > 1 else ():
        try:
            model, _ = request.resolve()
        except MinizooError:
            continue
        which = model.folder.resolve() if model.kind == "folder" and model.folder else model.id
        if which in seen:
            raise ConflictingOptions(
                f"{seen[which]} and {request.model} are one model ({model.shown}).", "Give it once."
            )
        seen[which] = request.model
    return requests


def _go(turn: _Turn, step: Callable[[_Turn], None], alone: bool, headed: bool) -> None:
    """Take one step of a model's turn; of several models an error is told, with the word that it is about, and kept."""
    if alone:
        step(turn)
        return
    if headed and turn.evaluation:
        note(f"{turn.request.model}:")
    try:
        step(turn)
    except Exception as exception:  # the next model goes on, whatever this one met
        if not headed:
            note(f"{turn.request.model}:")
        error = _logged(exception)
        turn.code, turn.document = show_error(error), {"error": told_error(error)}


def _logged(exception: Exception) -> MinizooError:
    """The error that it is shown as; its traceback goes into the log of the run, with --debug on stderr too."""
    state: Any = click.get_current_context().obj
    logging.getLogger(TERMINAL).error("%s", exception, exc_info=exception)
    if getattr(state, "debug", False):
        traceback.print_exception(exception)
    return as_error(exception, getattr(getattr(state, "log", None), "path", None))


def _recoveries(output: Output, turns: Sequence[_Turn], results: Path) -> dict[str, Any]:
    """What pruning cost and distillation won back in families that are whole among the models: shown, or as JSON values."""
    from minizoo.display.models.recovery import documents, recoveries_of_runs, show_recoveries

    found = recoveries_of_runs(results, [turn.record for turn in turns if turn.record is not None])
    if not output.as_json:
        show_recoveries(output, found)
    return {"recoveries": documents(found)}


def _finished(output: Output, kind: str, turns: Sequence[_Turn], beside: Mapping[str, Any] | None = None) -> int:
    """Print the JSON: of one model its document, of several a list of theirs, with what goes beside. Returns the worst exit
    code."""
    codes = [turn.code for turn in turns]
    code = next(code for code in (*WORST_FIRST, *codes) if code in codes)
    if output.as_json and len(turns) == 1:
        output.document(kind, turns[0].document)
    elif output.as_json:
        listed = [{"model": turn.request.model, "exit_code": turn.code, **turn.document} for turn in turns]
        output.document(f"{kind}s", {f"{kind}s": listed, **(beside or {}), "exit_code": code})
    elif len(turns) > 1 and any(codes):
        failed = [turn.request.model for turn in turns if turn.code]
        note(f"{len(failed)} of {len(turns)} models failed or have tasks that did: {', '.join(failed)}.")
    return code
