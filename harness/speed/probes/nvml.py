"""Telemetry of an NVIDIA GPU by NVML (nvidia-ml-py, `import pynvml`).

Written against NVML's interface and tested with a fake of it; not run on a GPU by the project's tests. What power means
differs: a 1-second average on most GPUs since Ampere, instantaneous on GA100 (A100, A30) and older (NVML's documentation of
nvmlDeviceGetPowerUsage); the energy counter is the same on all since Volta.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from harness.speed.probes.telemetry import DeviceLost, NoTelemetry, Probe, Sample

INTERVAL = 0.1


def open_nvml(device: str) -> Probe:
    """The probe of a CUDA device of this process, found in NVML by its UUID, whatever CUDA_VISIBLE_DEVICES hides."""
    import torch

    told: Any = torch.cuda.get_device_properties(device)
    known = {"product": told.name, "capability": f"{told.major}.{told.minor}", "memory_bytes": told.total_memory}
    return find_device(str(told.uuid), known)


def find_device(uuid: str, known: Mapping[str, Any] | None = None) -> Probe:
    """The probe of the device with that UUID (with or without its `GPU-` or `MIG-`).

    NoTelemetry, with what is `known` otherwise, where NVML is absent or refuses.
    """
    import pynvml as nvml

    try:
        nvml.nvmlInit()
        names = [uuid] if uuid.startswith(("GPU-", "MIG-")) else [f"GPU-{uuid}", f"MIG-{uuid}"]
        for name in names[:-1]:
            try:
                return NvmlProbe(nvml.nvmlDeviceGetHandleByUUID(name))
            except nvml.NVMLError:
                continue
        return NvmlProbe(nvml.nvmlDeviceGetHandleByUUID(names[-1]))
    except nvml.NVMLError as refusal:
        return NoTelemetry(f"NVML: {refusal}", known or {})


class NvmlProbe:
    """One device. What it does not support is None; what it refuses otherwise is kept in `refusals`."""

    interval = INTERVAL

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.refusals: set[str] = set()

    def facts(self) -> Mapping[str, Any]:
        """Product, driver, limits and modes."""
        import pynvml as nvml

        ask = self._ask
        capability = ask(nvml.nvmlDeviceGetCudaComputeCapability)
        mig, slice_, ecc = (
            ask(nvml.nvmlDeviceGetMigMode),
            ask(nvml.nvmlDeviceIsMigDeviceHandle),
            ask(nvml.nvmlDeviceGetEccMode),
        )
        limit = ask(nvml.nvmlDeviceGetEnforcedPowerLimit)
        persistence = ask(nvml.nvmlDeviceGetPersistenceMode)
        found = {
            "product": ask(nvml.nvmlDeviceGetName),
            "capability": None if capability is None else f"{capability[0]}.{capability[1]}",
            "driver": self._asked(nvml.nvmlSystemGetDriverVersion),
            "power_limit_w": None if limit is None else limit / 1000,
            "max_sm_mhz": ask(nvml.nvmlDeviceGetMaxClockInfo, nvml.NVML_CLOCK_SM),
            "memory_bytes": getattr(ask(nvml.nvmlDeviceGetMemoryInfo), "total", None),
            "mig": bool(slice_) or (None if mig is None else bool(mig[0])),
            "ecc": None if ecc is None else bool(ecc[0]),
            "persistence": None if persistence is None else bool(persistence),
        }
        return {**found, **({"refused": sorted(self.refusals)} if self.refusals else {})}

    def sample(self) -> Sample:
        """See `Probe`."""
        import pynvml as nvml

        ask = self._ask
        power = ask(nvml.nvmlDeviceGetPowerUsage)
        running = ask(nvml.nvmlDeviceGetComputeRunningProcesses)
        return {
            "power_w": None if power is None else power / 1000,
            "sm_mhz": ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM),
            "memory_mhz": ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM),
            "temperature_c": ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
            "clock_events": ask(nvml.nvmlDeviceGetCurrentClocksEventReasons),
            "used_bytes": getattr(ask(nvml.nvmlDeviceGetMemoryInfo), "used", None),
            "ecc_uncorrected": ask(
                nvml.nvmlDeviceGetTotalEccErrors, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
            ),
            "other_processes": None if running is None else sum(p.pid != os.getpid() for p in running),
        }

    def energy(self) -> float | None:
        """Joules since the driver was loaded; None before Volta."""
        import pynvml as nvml

        millijoules = self._ask(nvml.nvmlDeviceGetTotalEnergyConsumption)
        return None if millijoules is None else millijoules / 1000

    def close(self) -> None:
        """End NVML for this process."""
        import pynvml as nvml

        with contextlib.suppress(nvml.NVMLError):
            nvml.nvmlShutdown()

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._asked(function, self._handle, *arguments)

    def _asked(self, function: Callable[..., Any], *arguments: Any) -> Any:
        import pynvml as nvml

        try:
            return function(*arguments)
        except nvml.NVMLError as refusal:
            code = getattr(refusal, "value", None)
            if code in (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_NOT_FOUND, nvml.NVML_ERROR_RESET_REQUIRED):
                raise DeviceLost(str(refusal)) from None
            if code != nvml.NVML_ERROR_NOT_SUPPORTED:
                self.refusals.add(f"{function.__name__}: {refusal}")
            return None
