"""NVML (nvidia-ml-py): one session and one way of asking. No other file imports pynvml."""

from __future__ import annotations

import contextlib
from typing import Any


class NvmlRefused(Exception):
    """NVML refused a question; `code` is its error number (nvml.h, nvmlReturn_t)."""

    def __init__(self, refusal: str, code: int) -> None:
        super().__init__(refusal)
        self.code = code


class DeviceGone(Exception):
    """The device is not there any more: fallen off the bus, or taken away."""


class Nvml:
    """An open NVML session; close it, or leave it as a context. Raises NvmlRefused where NVML is absent or refuses.

    Functions are named without their prefix: `ask("DeviceGetName", handle)`.
    """

    def __init__(self) -> None:
        self.refusals: set[str] = set()
        """What `ask` was refused, other than what the device does not support."""
        self.demand("Init")

    def __enter__(self) -> Nvml:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def demand(self, function: str, *arguments: Any) -> Any:
        """The answer; raises NvmlRefused where there is none."""
        import pynvml

        try:
            return getattr(pynvml, f"nvml{function}")(*arguments)
        except pynvml.NVMLError as refusal:
            raise NvmlRefused(str(refusal), getattr(refusal, "value", 0)) from None

    def ask(self, function: str, *arguments: Any) -> Any:
        """The answer; None where there is none. Raises DeviceGone where the device is lost."""
        import pynvml

        try:
            return self.demand(function, *arguments)
        except NvmlRefused as refusal:
            lost = (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_RESET_REQUIRED)
            if refusal.code in lost:
                raise DeviceGone(str(refusal)) from None
            if refusal.code != pynvml.NVML_ERROR_NOT_SUPPORTED:
                self.refusals.add(f"nvml{function}: {refusal}")
            return None

    def constant(self, name: str) -> int:
        """The number of `NVML_<name>`."""
        import pynvml

        return getattr(pynvml, f"NVML_{name}")

    def close(self) -> None:
        """End the session."""
        with contextlib.suppress(NvmlRefused):
            self.demand("Shutdown")


def driver_version() -> str | None:
    """The NVIDIA driver's version; None where NVML is absent or refuses."""
    try:
        with Nvml() as nvml:
            return str(nvml.demand("SystemGetDriverVersion"))
    except NvmlRefused:
        return None
