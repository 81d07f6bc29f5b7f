"""The GPUs that a process may use, by NVML, and their names in gpus.yaml."""

from __future__ import annotations

import os
from dataclasses import dataclass

from harness.nvml import Nvml, NvmlRefused
from zoo.arch.gpus import load_gpus


@dataclass(frozen=True)
class Device:
    """One GPU as its driver tells it."""

    name: str
    uuid: str

    @property
    def kind(self) -> str | None:
        """Its name in gpus.yaml; None for one that is not there."""
        return kind_of(self.name)


def kind_of(name: str) -> str | None:
    """The id in gpus.yaml of a GPU's product name; None for one that is not there. Names must match whole."""
    plain = name.strip().removeprefix("NVIDIA ").strip().lower()
    return next((id for id, gpu in load_gpus().items() if plain in {one.lower() for one in gpu.names}), None)


def visible_devices() -> list[Device]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves to this process; none where NVML is absent or refuses."""
    try:
        with Nvml() as nvml:
            handles = [nvml.demand("DeviceGetHandleByIndex", at) for at in range(nvml.demand("DeviceGetCount"))]
            known = [
                Device(str(nvml.demand("DeviceGetName", one)), str(nvml.demand("DeviceGetUUID", one)))
                for one in handles
            ]
    except NvmlRefused:
        return []
    return left_by(os.environ.get("CUDA_VISIBLE_DEVICES"), known)


def left_by(chosen: str | None, known: list[Device]) -> list[Device]:
    """The devices that a value of CUDA_VISIBLE_DEVICES names, by number or by (the beginning of) a UUID; all for None.

    As CUDA does, what follows a word that names none is not seen. Of a slice (MIG) the device is not known here.
    """
    if chosen is None:
        return known
    found: list[Device] = []
    for word in map(str.strip, chosen.split(",")):
        if word.isdecimal():
            fits = known[int(word) : int(word) + 1]
        else:
            fits = [one for one in known if word and one.uuid.startswith(word)]
        if len(fits) != 1:
            break
        found += fits
    return found
