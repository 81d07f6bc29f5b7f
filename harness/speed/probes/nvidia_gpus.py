"""The NVIDIA GPUs of this machine, as NVML tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.nvml import Nvml, NvmlRefused

GIB = 2**30
_HINTS = {  # by NVML's error numbers (nvml.h, nvmlReturn_t)
    4: "Give this user access to /dev/nvidia*, or run as one who has it.",
    9: "Load the driver: `modprobe nvidia`; if that fails, install it anew for this kernel.",
    12: "For a GPU, install the NVIDIA driver, or start the container with `--gpus all`; a CPU needs nothing.",
    15: "The GPU has fallen off the bus: restart the machine, then look at its power and at `dmesg`.",
    18: "The driver was updated while loaded: restart the machine, or unload and load the nvidia modules.",
}


@dataclass(frozen=True)
class Gpus:
    """What NVML says: the driver's version, the newest CUDA that it serves, a line for each device."""

    driver: str
    cuda: str
    devices: tuple[str, ...]


def read_gpus() -> Gpus:
    """Ask NVML for the driver and every device. Raises NvmlRefused."""
    with Nvml() as nvml:
        handles = [nvml.demand("DeviceGetHandleByIndex", index) for index in range(nvml.demand("DeviceGetCount"))]
        served = int(nvml.demand("SystemGetCudaDriverVersion"))  # 12080 is CUDA 12.8
        return Gpus(
            driver=str(nvml.demand("SystemGetDriverVersion")),
            cuda=f"{served // 1000}.{served % 1000 // 10}",
            devices=tuple(_describe(nvml, handle) for handle in handles),
        )


def hint_of(refusal: NvmlRefused) -> str:
    """What to do about a refusal of NVML."""
    return _HINTS.get(refusal.code, "Run `nvidia-smi` and repair what it complains of.")


def _describe(nvml: Nvml, handle: Any) -> str:
    major, minor = nvml.demand("DeviceGetCudaComputeCapability", handle)
    memory = int(nvml.demand("DeviceGetMemoryInfo", handle).total)
    mig = nvml.ask("DeviceGetMigMode", handle)  # most GPUs cannot be split
    split = ", MIG on" if mig and mig[0] else ""
    return f"{nvml.demand('DeviceGetName', handle)}, {memory / GIB:.0f} GiB, compute capability {major}.{minor}{split}"
