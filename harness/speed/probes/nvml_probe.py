"""Telemetry of an NVIDIA GPU by NVML.

Written against NVML's interface and tested with a fake of it; not run on a GPU by the project's tests. What power means
differs: a 1-second average on most GPUs since Ampere, instantaneous on GA100 (A100, A30) and older (NVML's documentation of
nvmlDeviceGetPowerUsage); the energy counter is the same on all since Volta.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from harness.nvml import Nvml, NvmlRefused
from harness.speed.probes.probe import NoTelemetry, Probe, Sample

INTERVAL = 0.1
HOST_PIDS = "pid:[4026531836]"
"""Linux's first pid namespace (PROC_PID_INIT_INO), whose numbers the driver counts processes by; a container has another."""


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
    try:
        nvml = Nvml()
    except NvmlRefused as refusal:
        return NoTelemetry(f"NVML: {refusal}", known or {})
    refused = ""
    for name in [uuid] if uuid.startswith(("GPU-", "MIG-")) else [f"GPU-{uuid}", f"MIG-{uuid}"]:
        try:
            return NvmlProbe(nvml, nvml.demand("DeviceGetHandleByUUID", name))
        except NvmlRefused as refusal:
            refused = str(refusal)
    nvml.close()
    return NoTelemetry(f"NVML: {refused}", known or {})


class NvmlProbe:
    """One device. What it does not support is None; what it refuses otherwise is told among its facts."""

    interval = INTERVAL

    def __init__(self, nvml: Nvml, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle

    def facts(self) -> Mapping[str, Any]:
        """Product, driver, limits and modes."""
        capability, mig = self._ask("DeviceGetCudaComputeCapability"), self._ask("DeviceGetMigMode")
        is_slice, ecc = self._ask("DeviceIsMigDeviceHandle"), self._ask("DeviceGetEccMode")
        limit, persistence = self._ask("DeviceGetEnforcedPowerLimit"), self._ask("DeviceGetPersistenceMode")
        found = {
            "product": self._ask("DeviceGetName"),
            "capability": None if capability is None else f"{capability[0]}.{capability[1]}",
            "driver": self._nvml.ask("SystemGetDriverVersion"),
            "power_limit_w": None if limit is None else limit / 1000,
            "max_sm_mhz": self._ask("DeviceGetMaxClockInfo", self._nvml.constant("CLOCK_SM")),
            "memory_bytes": getattr(self._ask("DeviceGetMemoryInfo"), "total", None),
            "mig": bool(is_slice) or (None if mig is None else bool(mig[0])),
            "ecc": None if ecc is None else bool(ecc[0]),
            "persistence": None if persistence is None else bool(persistence),
        }
        refusals = self._nvml.refusals
        return {**found, **({"refused": sorted(refusals)} if refusals else {})}

    def sample(self) -> Sample:
        """See `Probe`."""
        ask, constant = self._ask, self._nvml.constant
        power = ask("DeviceGetPowerUsage")
        running = ask("DeviceGetComputeRunningProcesses")
        return {
            "power_w": None if power is None else power / 1000,
            "sm_mhz": ask("DeviceGetClockInfo", constant("CLOCK_SM")),
            "memory_mhz": ask("DeviceGetClockInfo", constant("CLOCK_MEM")),
            "temperature_c": ask("DeviceGetTemperature", constant("TEMPERATURE_GPU")),
            "clock_events": ask("DeviceGetCurrentClocksEventReasons"),
            "used_bytes": getattr(ask("DeviceGetMemoryInfo"), "used", None),
            "ecc_uncorrected": ask(
                "DeviceGetTotalEccErrors", constant("MEMORY_ERROR_TYPE_UNCORRECTED"), constant("VOLATILE_ECC")
            ),
            "other_processes": None if running is None else others_among({process.pid for process in running}),
        }

    def energy(self) -> float | None:
        """Joules since the driver was loaded; None before Volta."""
        millijoules = self._ask("DeviceGetTotalEnergyConsumption")
        return None if millijoules is None else millijoules / 1000

    def close(self) -> None:
        """End NVML's session."""
        self._nvml.close()

    def _ask(self, function: str, *arguments: Any) -> Any:
        return self._nvml.ask(function, self._handle, *arguments)


def others_among(pids: Collection[int]) -> int | None:
    """How many of the processes that compute on a GPU are not this one, which computes on it; None where nobody can say.

    In a container most drivers tell the host's numbers (NVIDIA/nvidia-docker#1483), of which this process does not know its
    own: one of them is then taken to be it. Where they tell none, not even this one, they tell nothing of others either.
    """
    if os.getpid() in pids or not _in_container():
        return len(set(pids) - {os.getpid()})
    return len(pids) - 1 if pids else None


def _in_container() -> bool:
    """Whether this process has other numbers than the host's; as far as the system tells."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()) != HOST_PIDS
    except OSError:
        return False
