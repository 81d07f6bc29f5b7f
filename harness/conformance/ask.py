"""`minizoo conformance`: one backend asked every question about one model, and the outcome kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from backends.conformance.key import key_of
from backends.conformance.outcome import Outcome
from backends.conformance.run import Watch, run_checks
from backends.contract import Options
from backends.memory import check_device
from backends.opening import check_backend, default_backend, open_backend
from harness.conformance.files import write_outcome
from harness.conformance.reference import SMALL, reference_of
from harness.records.outcome import failure_of
from zoo.checkpoint.locate import locate, outline
from zoo.checkpoint.model_ref import resolve
from zoo.errors import MinizooError, NotWritable
from zoo.files import check_writable


@dataclass(frozen=True)
class Question:
    """The words of the command."""

    model: str
    backend: str | None = None
    """None is what fits the model."""
    options: Options = field(default_factory=Options)
    depth: Literal["full", "short"] = "full"


@dataclass(frozen=True)
class Asked:
    """What came of it."""

    outcome: Outcome
    path: Path
    """Where it is kept."""
    has_engine: bool
    """Whether the backend tells its engine's version; without one the outcome is looked up by no run."""


def ask(question: Question, results: Path, watch: Watch | None = None) -> Asked:
    """Load the model with the backend, run the checks and keep the outcome in `results`.

    Raises what resolving, fetching and opening the model raise, NotWritable, and the cause of what breaks the engine off
    (DeviceMemory, DeviceLost, BackendBroke).
    """
    check_writable(results)
    ref = resolve(question.model)
    if question.backend is not None:
        check_backend(question.backend)
    model = outline(ref)
    name = question.backend or default_backend(model)
    check_device(model, name, question.options)
    checkpoint = locate(model)
    backend = open_backend(checkpoint, name, question.options)
    most = SMALL if question.depth == "short" else None
    try:
        key = key_of(backend, checkpoint)
        reference = reference_of(model, checkpoint, most)
        again = partial(open_backend, checkpoint, name, question.options)
        outcome = run_checks(backend, checkpoint, reference, question.depth, watch, again)
    except (MinizooError, OSError):
        raise
    except Exception as error:
        raise _broken(name, error) from error
    finally:
        backend.close()
    try:
        return Asked(outcome, write_outcome(results, outcome), bool(key.engine))
    except OSError as error:
        raise NotWritable(
            f"The outcome cannot be written to {results} ({error.strerror or error}).",
            "Free some space, or give another folder: --results DIR.",
        ) from error


def _broken(name: str, error: Exception) -> MinizooError:
    failure = failure_of(error)
    return failure.cause(
        f"Backend {name} broke off while it was asked ({failure.message}). No outcome was kept.",
        "Try a smaller model, another --device or --dtype; `minizoo doctor` tells what works here.",
    )
