"""Telemetry of a measurement: a thread that samples a probe, energy over windows of trials, and their sums."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field

from harness.nvml import DeviceGone
from harness.records.columns import TELEMETRY_COLUMNS
from harness.speed.clock import Clock
from harness.speed.probes.busy import is_busy, tells_of_others
from harness.speed.probes.probe import Probe, Sample

WINDOW_S = 2.0
"""An energy counter ticks every 10 to 100 ms: over two seconds a tick is at most 5 %."""


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

    def look(self, times: int) -> None:
        """Before the start: samples an interval apart, until one tells that nobody else is at work, at most so many."""
        if not self._take() or not tells_of_others(self.samples[-1]):
            return
        for _ in range(times):
            self.clock.sleep(self.probe.interval)
            if not self._take() or not is_busy(self.samples[-1]):
                return

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
        except DeviceGone as error:
            self.lost = str(error)
        except Exception as error:  # a probe that breaks must not end its thread unseen
            self.lost = f"{type(error).__name__}: {error}"
        return self.lost is None


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
    for name in TELEMETRY_COLUMNS:
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
