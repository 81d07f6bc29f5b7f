"""What a record says when an engine fails: exceptions to status, cause and message, and whether it may pass."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from backends.contract import OutOfMemory
from harness.nvml import DeviceGone
from zoo.errors import (
    BREAKS,
    BackendBroke,
    DeviceLost,
    DeviceMemory,
    EnvironmentIssue,
    MinizooError,
    RequestKills,
    one_line,
)

LASTING_OS = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)
"""What the system refuses until somebody mends it; any other OSError (a connection, a timeout, a full disk) may pass."""
MEMORY_WORDS = re.compile(r"out of memory|(can't|cannot) allocate memory|alloc_failed", re.IGNORECASE)
"""torch's RuntimeErrors that mean memory, where a backend let them through."""
PASSING_WORDS = re.compile(
    r"\b(is|was|device|gpu) lost|hardware error|uncorrectable|f[ae]ll(en)? off|timed? ?out|connect(ion|error)"
    r"|network (is )?(unreachable|down|error)|temporarily|busy or unavailable|nccl error|launch failure|ecc error",
    re.IGNORECASE,
)
"""What CUDA, NCCL and clients of servers say of causes that may pass, in exceptions that are RuntimeErrors or their own."""
FAULTS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    NameError,
    AssertionError,
    NotImplementedError,
    ArithmeticError,
)
"""What a program raises because of what it is and what it was given, whatever the words."""


@dataclass(frozen=True)
class Failure:
    """How a task or a point failed. `infra_failed`: nothing is said of the model, and the rest of the run cannot go on."""

    status: Literal["failed", "infra_failed"]
    cause: type[EnvironmentIssue]
    message: str
    may_pass: bool = True
    """Whether the same call may succeed another time; where not it will break at the same place again."""
    hint: str | None = None
    """What to do, where the error itself says it."""

    @property
    def code(self) -> str:
        """The cause's stable code: `device-memory`, `device-lost`, `backend-broke`."""
        return self.cause.code


def failure_of(error: Exception) -> Failure:
    """The failure that an engine's exception means; raises a MinizooError again, which is for the user as it stands, unless
    an engine in a process of its own broke in the midst of a run (`BREAKS`)."""
    if isinstance(error, BREAKS):
        return Failure("infra_failed", type(error), error.what, not isinstance(error, RequestKills), error.hint)
    if isinstance(error, MinizooError):
        raise error
    memory = isinstance(error, RuntimeError) and MEMORY_WORDS.search(str(error))
    if memory or isinstance(error, OutOfMemory | MemoryError):
        return Failure("failed", DeviceMemory, f"out of memory: {one_line(error)}")
    if isinstance(error, DeviceGone):
        return Failure("infra_failed", DeviceLost, f"device lost: {one_line(error)}")
    return Failure("infra_failed", BackendBroke, f"{type(error).__name__}: {one_line(error)}", _may_pass(error))


def _may_pass(error: Exception) -> bool:
    if isinstance(error, OSError):
        return not isinstance(error, LASTING_OS)
    return not isinstance(error, FAULTS) and PASSING_WORDS.search(f"{type(error).__name__} {error}") is not None
