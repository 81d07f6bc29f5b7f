"""The NVIDIA GPUs of this machine, as NVML tells them."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 2**30
MENDS = {  # by NVML's error numbers (nvml.h, nvmlReturn_t)
    4: "Give this user access to /dev/nvidia*, or run as one who has it.",
    9: "Load the driver: `modprobe nvidia`; if that fails, install it anew for this kernel.",
    12: "For a GPU, install the NVIDIA driver, or start the container with `--gpus all`; a CPU needs nothing.",
    15: "The GPU has fallen off the bus: restart the machine, then look at its power and at `dmesg`.",
    18: "The driver was updated while loaded: restart the machine, or unload and load the nvidia modules.",
}


class NoNvml(Exception):
    """NVML refused; `hint` is what to do about it."""

    def __init__(self, refusal: str, code: int) -> None:
        super().__init__(refusal)
        self.hint = MENDS.get(code, "Run `nvidia-smi` and mend what it complains of.")


@dataclass(frozen=True)
class Gpus:
    """What NVML says: the driver's version, the newest CUDA that it serves, a line for each device."""

    driver: str
    cuda: str
    devices: tuple[str, ...]


def read_gpus() -> Gpus:
    """Ask NVML for the driver and every device. Raises NoNvml."""
    import pynvml as nvml

    try:
        nvml.nvmlInit()
        try:
            handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            served = int(nvml.nvmlSystemGetCudaDriverVersion())  # 12080 is CUDA 12.8
            return Gpus(
                driver=str(nvml.nvmlSystemGetDriverVersion()),
                cuda=f"{served // 1000}.{served % 1000 // 10}",
                devices=tuple(_describe(handle) for handle in handles),
            )
        finally:
            nvml.nvmlShutdown()
    except nvml.NVMLError as refusal:
        raise NoNvml(str(refusal), getattr(refusal, "value", 0)) from refusal


def _describe(handle: object) -> str:
    import pynvml as nvml

    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    try:
        split = ", MIG on" if nvml.nvmlDeviceGetMigMode(handle)[0] else ""
    except nvml.NVMLError:  # most GPUs cannot be split
        split = ""
    return f"{nvml.nvmlDeviceGetName(handle)}, {memory / GIB:.0f} GiB, compute capability {major}.{minor}{split}"
