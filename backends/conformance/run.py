"""Every check asked of one backend, and what came of them."""

from __future__ import annotations

from collections.abc import Callable

from backends.conformance.key import key_of
from backends.conformance.known import Known, OpenReference
from backends.conformance.outcome import CheckOutcome, Depth, Fail, Outcome, Skip
from backends.conformance.sequences import Sequences
from backends.conformance.subject import Subject
from backends.conformance.table import CHECKS, Check
from backends.conformance.tolerances import tolerance
from backends.contract import Backend, OutOfMemory, compute_dtype_of
from zoo.checkpoint.locate import ModelFolder
from zoo.errors import EnvironmentIssue, TokenizerUnreadable, one_line

Watch = Callable[[str], None]


def run_checks(
    backend: Backend,
    checkpoint: ModelFolder,
    reference: OpenReference | None,
    depth: Depth = "full",
    watch: Watch | None = None,
    reopen: Callable[[], Backend] | None = None,
    draw: int = 0,
) -> Outcome:
    """Ask every check of a backend that is open over `checkpoint`, which stays open.

    `reference` opens transformers' fp32 model of the same checkpoint when a check first wants it, and it is closed here; where
    it is None or cannot be opened, what needs it is skipped. `short` asks the checks that an evaluation begins with; `watch` is
    told the name of each before it is asked. `reopen` opens the backend a second time; without it closing is not checked.
    Another `draw` asks with other sequences.

    Raises an EnvironmentIssue of the backend's (a lost device says nothing about its numbers) unless a check had failed
    before, and InvalidConfig where config.json has no vocabulary.
    """
    known = Known(reference)
    try:
        subject = _subject(backend, checkpoint, known, depth == "short", reopen, draw)
        done: list[CheckOutcome] = []
        for check in CHECKS:
            if depth == "short" and not check.short:
                continue
            if watch is not None:
                watch(check.name)
            done.append(outcome_of(check, subject, any(one.verdict == "fail" for one in done)))
    finally:
        known.close()
    return Outcome(key_of(backend, checkpoint), tuple(done), depth, checkpoint.name)


def outcome_of(check: Check, subject: Subject, already_failed: bool = False) -> CheckOutcome:
    """Ask one check; whatever a backend raises in it is a failure, but for what `run_checks` names."""
    if not getattr(subject.backend.capabilities, check.needs):
        return CheckOutcome(check.name, "skip", {}, f"the backend does not {check.needs}")
    try:
        found = check.asks(subject)
    except Skip as reason:
        return CheckOutcome(check.name, "skip", {}, str(reason))
    except Fail as fault:
        return CheckOutcome(check.name, "fail", fault.figures, str(fault))
    except TokenizerUnreadable as error:
        return CheckOutcome(check.name, "skip", {}, f"there is no tokenizer to ask it with ({one_line(error)})")
    except OutOfMemory as error:
        return CheckOutcome(check.name, "skip", {}, f"the device has not the memory for it ({one_line(error)})")
    except Exception as error:  # whatever an engine raises
        if isinstance(error, EnvironmentIssue) and not already_failed:
            raise
        return CheckOutcome(check.name, "fail", {}, f"it raised {type(error).__name__}: {one_line(error)}")
    return CheckOutcome(check.name, "pass", found.figures, found.said)


def subject_of(
    backend: Backend, checkpoint: ModelFolder, reference: OpenReference | None, short: bool = False
) -> Subject:
    """What checks are asked of, where they are asked one by one; `subject.known.close()` gives the reference back."""
    return _subject(backend, checkpoint, Known(reference), short, None, 0)


def _subject(
    backend: Backend,
    checkpoint: ModelFolder,
    known: Known,
    short: bool,
    reopen: Callable[[], Backend] | None,
    draw: int,
) -> Subject:
    products = compute_dtype_of(backend) or backend.dtype
    allowed = tolerance(products, checkpoint.config)
    coarser = max(allowed, tolerance(backend.dtype, checkpoint.config), key=lambda one: one.token)
    return Subject(backend, checkpoint, Sequences(backend, checkpoint, draw), known, allowed, coarser, short, reopen)
