"""What an evaluation does before its first score: look its backend up, and where nobody has asked, ask a few questions once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from backends.conformance.key import Key, key_of
from backends.conformance.outcome import Outcome
from backends.conformance.run import run_checks
from backends.contract import Backend
from harness.conformance.files import digest_of, write_outcome
from harness.conformance.reference import SMALL, reference_of
from harness.conformance.standing import Standing, recorded, standing, state_of
from harness.records.record import Conformance
from zoo.checkpoint.locate import Checkpoint, Outline
from zoo.errors import one_line

Tell = Callable[[str], None]
NO_ENGINE = "the backend tells no version of its engine, so that an outcome would cover nothing"
NOT_ASKED = "nobody has asked"
ALL_SKIPPED = "no question could be asked of it"


def known(backend: Backend, checkpoint: Checkpoint, results: Path) -> Conformance:
    """What is known of the backend for such a model; nothing is run, and nothing raised."""
    return _careful(lambda: _known(key_of(backend, checkpoint), results))


def known_or_checked(
    backend: Backend, checkpoint: Checkpoint, model: Outline, results: Path, tell: Tell | None = None
) -> Conformance:
    """What is known of the backend for such a model; of a key without an outcome by a short self-check, kept in the results.

    Never raises because of what the backend does: a self-check that breaks off leaves it `unchecked`, with the reason.
    """

    def look() -> Conformance:
        key = key_of(backend, checkpoint)
        found = _known(key, results)
        if not key.engine or found.state != "unchecked" or found.digest is not None:
            return found
        if tell:
            tell(f"New here: {_words(key)}. A short self-check of the backend comes first.")
        outcome = run_checks(backend, checkpoint, reference_of(model, checkpoint, SMALL), depth="short")
        with contextlib.suppress(OSError):  # what cannot be kept is asked again by the next run
            write_outcome(results, outcome)
        return _recorded(key, as_standing(outcome))

    return _careful(look)


def as_standing(outcome: Outcome) -> Standing:
    """The standing that an outcome measured here gives its key."""
    return Standing(state_of(outcome), "measured", digest_of(outcome), outcome)


def _known(key: Key, results: Path) -> Conformance:
    if not key.engine:
        return Conformance(state="unchecked", reason=NO_ENGINE)
    return _recorded(key, standing(key, results))


def _recorded(key: Key, found: Standing) -> Conformance:
    reason = ALL_SKIPPED if found.outcome else NOT_ASKED
    return recorded(key, found, reason if found.state == "unchecked" else None)


def _careful(look: Callable[[], Conformance]) -> Conformance:
    try:
        return look()
    except Exception as error:  # whatever an engine raises here, the run itself meets it again and says so
        told = f"the question broke off: {type(error).__name__}: {one_line(error)}"
        return Conformance(state="unchecked", reason=told)


def _words(key: Key) -> str:
    return f"{key.backend} ({key.engine}) on {key.device} in {key.dtype} for {key.architecture}"
