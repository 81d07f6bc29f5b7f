"""What a record says when an engine fails: one mapping from exceptions to status, cause and message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backends.contract import OutOfMemory
from harness.nvml import DeviceGone
from zoo.errors import BackendBroke, DeviceLost, DeviceMemory, EnvironmentIssue, MinizooError, one_line


@dataclass(frozen=True)
class Failure:
    """How a task or a point failed. `infra_failed`: nothing is said of the model, and the rest of the run cannot go on."""

    status: Literal["failed", "infra_failed"]
    cause: type[EnvironmentIssue]
    message: str

    @property
    def code(self) -> str:
        """The cause's stable code: `device-memory`, `device-lost`, `backend-broke`."""
        return self.cause.code


def failure_of(error: Exception) -> Failure:
    """The failure that an engine's exception means; raises a MinizooError again, which is for the user as it stands."""
    if isinstance(error, MinizooError):
        raise error
    if isinstance(error, OutOfMemory):
        return Failure("failed", DeviceMemory, f"out of memory: {one_line(error)}")
    if isinstance(error, DeviceGone):
        return Failure("infra_failed", DeviceLost, f"device lost: {one_line(error)}")
    return Failure("infra_failed", BackendBroke, f"{type(error).__name__}: {one_line(error)}")
