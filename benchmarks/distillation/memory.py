"""How much memory a stretch of work takes above what was there before, by the kernel's own high-water mark."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""What resets VmHWM to VmRSS (proc_pid_clear_refs(5))."""


class Stretch:
    """A `with` block: its seconds, its CPU seconds, and its peak above the memory at its beginning."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def __enter__(self) -> Stretch:
        gc.collect()
        if self._cuda():
            self._torch().reset_peak_memory_stats(self.device)
        else:
            CLEAR.write_text(RESET_PEAK)
        self.before = self._held()
        self._began, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        if self._cuda():
            self._torch().synchronize(self.device)
        self.seconds = time.perf_counter() - self._began
        self.cpu_seconds = time.process_time() - self._cpu
        self.peak = self._torch().max_memory_allocated(self.device) if self._cuda() else _status("VmHWM")

    @property
    def bytes(self) -> int:
        """Peak above what was held before."""
        return self.peak - self.before

    def told(self) -> dict[str, Any]:
        """The figures by name."""
        return {
            "seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "bytes": self.bytes, "bytes_of_process": self.peak,
        }  # fmt: skip

    def _held(self) -> int:
        if not self._cuda():
            return _status("VmRSS")
        self._torch().synchronize(self.device)
        return self._torch().memory_allocated(self.device)

    def _cuda(self) -> bool:
        return self.device.startswith("cuda")

    def _torch(self) -> Any:
        import torch

        return torch.cuda


def available() -> int:
    """Bytes that the system could give without swapping."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def _status(name: str) -> int:
    return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith(name))
