"""Telemetry of a CPU: what Linux tells in /proc and /sys. Elsewhere, or in a container that hides it, nulls."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.processor import processor_name
from harness.speed.probes.probe import Sample

INTERVAL = 0.5
USER, NICE, SYSTEM, IRQ, SOFTIRQ, STEAL = 0, 1, 2, 5, 6, 7
"""Columns of the `cpu` line of /proc/stat (proc(5)), in clock ticks: time not idle and not waiting."""


class OsProbe:
    """The processors of this machine as the operating system counts their time."""

    interval = INTERVAL

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._tick = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
        self._before = self._times()
        self._zones = sorted((root / "sys/class/powercap").glob("intel-rapl:[0-9]*/energy_uj"))
        self._zones = [zone for zone in self._zones if zone.parent.name.count(":") == 1]

    def facts(self) -> Mapping[str, Any]:
        """Which processor, how many of them, how much memory."""
        text = self._read("proc/cpuinfo") or ""
        total = re.search(r"^MemTotal:\s+(\d+) kB", self._read("proc/meminfo") or "", re.MULTILINE)
        return {
            "product": processor_name(text),
            "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_bytes": int(total[1]) * 1024 if total else None,
            "energy_counter": bool(self._zones),
        }

    def sample(self) -> Sample:
        """See `Probe`. `others_busy` is the mean since the sample before."""
        return {
            "others_busy": self._others(),
            "sm_mhz": self._number("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", 1e-3),
            "temperature_c": self._number("sys/class/thermal/thermal_zone0/temp", 1e-3),
            "used_bytes": resident_bytes(self._root),
        }

    def energy(self) -> float | None:
        """Joules by RAPL, all packages together; None where the kernel does not tell it to this user."""
        try:
            return sum(int(zone.read_text()) for zone in self._zones) / 1e6 if self._zones else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Nothing to let go of."""

    def _others(self) -> float | None:
        """Processors' worth of time that went to other processes, or to other guests of the host."""
        before, self._before = self._before, self._times()
        if before is None or self._before is None:
            return None
        elapsed = self._before[0] - before[0]
        busy, mine = (self._before[i] - before[i] for i in (1, 2))
        return max(0.0, busy - mine) / elapsed if elapsed > 0 else None

    def _times(self) -> tuple[float, float, float] | None:
        """(seconds now, busy seconds of all processors, of this process)."""
        import time

        line = (self._read("proc/stat") or "").partition("\n")[0].split()
        if len(line) < 9 or line[0] != "cpu":
            return None
        ticks = [int(word) for word in line[1:]]
        busy = sum(ticks[i] for i in (USER, NICE, SYSTEM, IRQ, SOFTIRQ, STEAL)) / self._tick
        return time.monotonic(), busy, time.process_time()

    def _number(self, path: str, scale: float) -> float | None:
        text = self._read(path)
        with contextlib.suppress(ValueError):
            return float(text) * scale if text else None
        return None

    def _read(self, path: str) -> str | None:
        try:
            return (self._root / path).read_text("utf-8", errors="replace")
        except OSError:
            return None


def resident_bytes(root: Path = Path("/")) -> int | None:
    """Memory that this process holds now; None where the system does not tell."""
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
