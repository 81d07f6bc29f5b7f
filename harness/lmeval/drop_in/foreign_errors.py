"""What lm-eval's command line raises, translated: mistakes of the request, missing packages, and what went wrong in a run."""

from __future__ import annotations

import re
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.lmeval.drop_in.refusals import unsafe
from harness.lmeval.loading.index import scanned_names
from zoo.errors import LmEvalFailed, LmEvalRefused, MinizooError, PackageMissing, UnknownTask
from zoo.names import unknown

FRONT = (
    "lm_eval._cli",
    "lm_eval.api.model",
    "lm_eval.api.registry",
    "lm_eval.config",
    "lm_eval.evaluator",
    "lm_eval.tasks._factory",
    "lm_eval.tasks._yaml_loader",
    "lm_eval.tasks.manager",
    "lm_eval.utils",
)
"""Modules of lm-eval that read what the user asked for: what they refuse is a mistake of the request."""
REFUSALS = (ValueError, KeyError, TypeError, AssertionError, FileNotFoundError)
YAML_ERROR = "YAMLError"
OURS = {"zoo", "backends", "harness", "reports", "minizoo"}
SERVING = "harness.lmeval.drop_in.served_data"
"""Stands between lm-eval's tasks and `datasets`, which it calls for them."""
NO_TASKS = re.compile(r"Tasks not found: ([^,]+)")
UNSAFE = re.compile(r"run task: (\S+) which is marked as unsafe")
LIST = "`minizoo lm-eval ls tasks` lists them."


@contextmanager
def translated(log: Path | None) -> Generator[None]:
    """Inside, a foreign exception becomes LmEvalRefused, UnknownTask, UnsafeTask, PackageMissing or LmEvalFailed.

    minizoo's own errors and faults pass, and so do SystemExit and what the operating system refuses.
    """
    try:
        yield
    except MinizooError:
        raise
    except Exception as error:
        owner = _owner(error)
        if owner.partition(".")[0] in OURS:
            raise
        asked = owner.startswith(FRONT)
        if isinstance(error, OSError) and error.errno is not None and not asked:
            raise
        raise _cause(error, asked, log) from error


def _cause(error: Exception, asked: bool, log: Path | None) -> MinizooError:
    named = error.args[0] if isinstance(error, KeyError) and error.args else error  # str() of a KeyError has quotes
    said = " ".join(str(named).split())[:300] or type(error).__name__
    if found := NO_TASKS.search(said):
        return unknown(UnknownTask, "task", found[1], scanned_names(), LIST)
    if found := UNSAFE.search(said):
        return unsafe(found[1])
    if isinstance(error, ImportError):
        name = getattr(error, "name", None)
        return PackageMissing(
            f"lm-eval needs something that is not installed ({said}).",
            f"`pip install {name.partition('.')[0]}`, and run it again." if name else "Install it, and run it again.",
        )
    names = {base.__name__ for base in type(error).__mro__}
    if asked and (isinstance(error, REFUSALS) or YAML_ERROR in names):
        return LmEvalRefused(
            f"lm-eval refuses this: {said.rstrip('.')}.", "`minizoo lm-eval run --help` has its options."
        )
    where = f"its log is {log}" if log else "`minizoo --debug lm-eval …` shows where"
    return LmEvalFailed(
        f"lm-eval stopped: {type(error).__name__} in {_place(error)} ({said}).",
        f"The fault is in lm-eval, in a task's own code or in what these called, not in minizoo; {where}.",
    )


def _owner(error: BaseException) -> str:
    """The innermost module of lm-eval or minizoo that the exception went through: whose doing it is."""
    names = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    owners = [name for name in names if name.partition(".")[0] in {"lm_eval", *OURS} and name != SERVING]
    return owners[-1] if owners else ""


def _place(error: BaseException) -> str:
    """Where it was raised, as a module and a line."""
    frame: Any
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"{frame.f_globals.get('__name__', '?')}:{line}"
