"""What others do on the machine meanwhile: how many processors they keep busy, and which processes they are."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path

from harness.speed.probes.probe import Sample

OTHERS_BUSY = 0.1
"""Processors that others may keep busy."""
NAMED = 3
"""Processes that are named at most."""
LEAST = 0.05
"""Processors below which a process is not worth naming."""


def is_busy(sample: Sample) -> bool:
    """Whether others are at work at this moment: processors are kept busy, or the GPU has other processes."""
    return float(sample.get("others_busy") or 0) > OTHERS_BUSY or bool(sample.get("other_processes"))


def tells_of_others(sample: Sample) -> bool:
    """Whether the machine says anything of others."""
    return sample.get("others_busy") is not None or sample.get("other_processes") is not None


def busy_seconds(samples: Sequence[Sample]) -> tuple[float, float]:
    """(processor-seconds that others took, seconds that were watched): each sample tells of the time since the one before.

    So a sample that follows at once, in which one tick of the clock looks like many processors, weighs next to nothing.
    """
    taken = watched = 0.0
    for before, sample in itertools.pairwise(samples):
        told = sample.get("others_busy")
        span = float(sample.get("time_s") or 0) - float(before.get("time_s") or 0)
        if told is not None and span > 0:
            taken, watched = taken + float(told) * span, watched + span
    return taken, watched


def mean_busy(samples: Sequence[Sample]) -> float:
    """Processors that others kept busy in the mean between the first sample and the last."""
    taken, watched = busy_seconds(samples)
    if watched:
        return taken / watched
    told = [float(value) for sample in samples[1:] if (value := sample.get("others_busy")) is not None]
    return sum(told) / len(told) if told else 0.0


def busiest_processes(seconds: float = 1.0, root: Path = Path("/proc")) -> list[str]:
    """The processes that keep most processors busy for the next seconds, as `firefox (4711) 0.85`; not this one.

    Empty where the system shows none: another container's, another guest's of the host.
    """
    before, began = _times(root), time.monotonic()
    time.sleep(seconds)
    after, spent = _times(root), time.monotonic() - began
    used = {pid: (ticks - before[pid][1], name) for pid, (name, ticks) in after.items() if pid in before}
    used.pop(os.getpid(), None)
    per_second = os.sysconf("SC_CLK_TCK") * spent if hasattr(os, "sysconf") else 100 * spent
    ranked = sorted(((ticks / per_second, pid, name) for pid, (ticks, name) in used.items()), reverse=True)
    return [f"{name} ({pid}) {busy:.2f}" for busy, pid, name in ranked[:NAMED] if busy >= LEAST]


def _times(root: Path) -> dict[int, tuple[str, int]]:
    """Process id → its name and its ticks so far (proc(5): fields 14 and 15 of stat, after the name in brackets)."""
    found: dict[int, tuple[str, int]] = {}
    for folder in root.glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text("utf-8", errors="replace")
            name, _, rest = text.partition("(")[2].rpartition(")")
            fields = rest.split()
            found[int(folder.name)] = (name, int(fields[11]) + int(fields[12]))
        except (OSError, ValueError, IndexError):
            continue
    return found
