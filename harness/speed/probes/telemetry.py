"""What the machine says of itself while something is measured: a probe is asked before, during and after."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.speed.clock import Clock

SAMPLE_COLUMNS: dict[str, str] = {
    "time_s": "DOUBLE",
    "power_w": "DOUBLE",
    "sm_mhz": "DOUBLE",
    "memory_mhz": "DOUBLE",
    "temperature_c": "DOUBLE",
    "clock_events": "BIGINT",
    "used_bytes": "BIGINT",
    "ecc_uncorrected": "BIGINT",
    "other_processes": "BIGINT",
    "others_busy": "DOUBLE",
}
"""Columns of telemetry.parquet, on the clock of trials.parquet. What a machine does not tell is null. `clock_events` are
NVML's clock event (throttle) bits; `others_busy` the processors that other processes kept busy since the sample before."""

Sample = dict[str, float | int | None]


class DeviceLost(Exception):
    """The device is not there any more: fallen off the bus, or taken away."""


class Probe(Protocol):
    """A source of telemetry."""

    interval: float
    """Seconds between two samples: often enough to see a throttle, seldom enough not to disturb."""

    def facts(self) -> Mapping[str, Any]:
        """What does not change from one moment to the next: limits, modes, versions."""
        ...

    def sample(self) -> Sample:
        """The present state, columns of SAMPLE_COLUMNS without the time. Raises DeviceLost."""
        ...

    def energy(self) -> float | None:
        """An ever-rising energy counter in joules; None where there is none. Raises DeviceLost."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


@dataclass
class Watch:
    """Samples a probe from a thread of its own, between `start` and `stop`."""

    probe: Probe
    clock: Clock
    samples: list[Sample] = field(default_factory=list[Sample])
    lost: str | None = None
    """Why sampling ended early; None when it did not."""

    def __post_init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Take the first sample, then go on in the background."""
        self._take()
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._take()

    def _run(self) -> None:
        while not self._end.wait(self.probe.interval) and self._take():
            pass

    def _take(self) -> bool:
        if self.lost is not None:
            return False
        now = self.clock.now()
        try:
            self.samples.append({"time_s": now, **self.probe.sample()})
        except DeviceLost as error:
            self.lost = str(error)
        except Exception as error:  # a probe that breaks must not end its thread unseen
            self.lost = f"{type(error).__name__}: {error}"
        return self.lost is None


WINDOW_S = 2.0
"""An energy counter ticks every 10 to 100 ms: over two seconds a tick is at most 5 %."""


@dataclass
class EnergyMeter:
    """Reads the energy counter at the borders of trials; a window closes after the first trial that makes it 2 s long."""

    probe: Probe
    clock: Clock
    wanted: bool = True
    windows: dict[int, tuple[int, float]] = field(default_factory=dict[int, tuple[int, float]])
    """Trial → its window's number and joules. Trials of a window that never closed have none."""

    def __post_init__(self) -> None:
        self._opened: tuple[float, float] | None = None
        self._pending: list[int] = []
        self._number = 0

    def begin(self) -> None:
        """Open a window unless one is open."""
        if self.wanted and self._opened is None:
            joules = self.probe.energy()
            if joules is not None:
                self._opened = (self.clock.now(), joules)

    def end(self, trial: int) -> None:
        """Close the window when it is long enough."""
        if self._opened is None:
            return
        self._pending.append(trial)
        since, before = self._opened
        if self.clock.now() - since < WINDOW_S:
            return
        after = self.probe.energy()
        if after is not None and after > before:
            self.windows |= dict.fromkeys(self._pending, (self._number, after - before))
            self._number += 1
        self._pending, self._opened = [], None


def summary(samples: list[Sample]) -> dict[str, float]:
    """Lowest, mean and highest of every column that was told, e.g. `power_w_mean`."""
    found: dict[str, float] = {}
    for name in SAMPLE_COLUMNS:
        told = [float(value) for sample in samples if (value := sample.get(name)) is not None]
        if told and name not in ("time_s", "clock_events"):
            found |= {f"{name}_min": min(told), f"{name}_mean": sum(told) / len(told), f"{name}_max": max(told)}
    return found


def integrated_energy(samples: list[Sample]) -> float | None:
    """∫ power dt over the samples by the trapezoidal rule, in joules: a second opinion on the counter; None without two."""
    told = [(float(s["time_s"] or 0), float(s["power_w"] or 0)) for s in samples if s.get("power_w") is not None]
    if len(told) < 2:
        return None
    return sum((b - a) * (p + q) / 2 for (a, p), (b, q) in itertools.pairwise(told))


def open_probe(device: str) -> Probe:
    """The probe of a device: NVML's for `cuda…`, the operating system's for a CPU. Never raises: see `NoTelemetry`."""
    if device.startswith("cuda"):
        from harness.speed.probes.nvml import open_nvml

        return open_nvml(device)
    from harness.speed.probes.os_probe import OsProbe

    return OsProbe()


def watched(device: str) -> str:
    """In words, what the probe of that device tells here."""
    probe = open_probe(device)
    try:
        told = [name for name, value in probe.sample().items() if value is not None]
        told += ["energy"] if probe.energy() is not None else []
    finally:
        probe.close()
    if isinstance(probe, NoTelemetry):
        return f"no telemetry ({probe.reason}), so every result is marked invalid"
    return f"telemetry: {', '.join(told)}"


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
