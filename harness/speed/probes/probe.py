"""A probe: what is asked of the machine before, during and after a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Sample = dict[str, float | int | None]


class Probe(Protocol):
    """A source of telemetry."""

    interval: float
    """Seconds between two samples: short enough to see a throttle, long enough not to disturb the measurement."""

    def facts(self) -> Mapping[str, Any]:
        """What does not change from one moment to the next: limits, modes, versions."""
        ...

    def sample(self) -> Sample:
        """The present state, columns of TELEMETRY_COLUMNS without the time. Raises DeviceGone."""
        ...

    def energy(self) -> float | None:
        """An ever-rising energy counter in joules; None where there is none. Raises DeviceGone."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


@dataclass
class NoTelemetry:
    """Stands where a probe cannot be had; `reason` says why, and the validity of the result tells it."""

    reason: str
    known: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What somebody else (torch) says of the device."""
    interval: float = 3600.0

    def facts(self) -> Mapping[str, Any]:
        """What is known otherwise, and why there is no more."""
        return {**self.known, "telemetry": self.reason}

    def sample(self) -> Sample:
        """Nothing."""
        return {}

    def energy(self) -> float | None:
        """Nothing."""
        return None

    def close(self) -> None:
        """Nothing to let go of."""
