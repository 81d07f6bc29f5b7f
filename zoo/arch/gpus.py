"""The GPUs whose data sheets are known (zoo/arch/gpus.yaml), found by compute capability and product name together."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from zoo.arch.parameters import Dtype
from zoo.strict import Slug, Strict, Text
from zoo.yaml_source import read_located, validated

Positive = Annotated[float, Field(gt=0)]

MICROARCHITECTURES = {
    "8.0": "Ampere (GA100)",
    "8.6": "Ampere (GA10x)",
    "8.9": "Ada Lovelace",
    "9.0": "Hopper",
    "10.0": "Blackwell (10.x)",
    "10.3": "Blackwell (10.x)",
    "12.0": "Blackwell (12.x)",
    "12.1": "Blackwell (12.x)",
}
"""By compute capability. Blackwell is two targets: code for 10.x does not run on 12.x, nor the other way about."""


class Gpu(Strict):
    """One row of the table. Peaks are dense, in 10¹² FLOP/s; `checked` is False where a figure is from a secondary source."""

    names: Annotated[tuple[Text, ...], Field(min_length=1)]
    display: Text
    capability: Annotated[str, Field(pattern=r"^\d+\.\d$")]
    bf16: Positive
    fp8: Positive | None = None
    gb_per_s: Positive
    memory_gb: Positive
    watts: Positive
    source: Slug
    checked: bool = True
    note: Text | None = None

    @property
    def bytes_per_s(self) -> float:
        """Peak memory bandwidth."""
        return self.gb_per_s * 1e9

    @property
    def memory_bytes(self) -> int:
        """Device memory, a GB counted as 10⁹ bytes: the smaller reading, so what fits here fits on the device."""
        return int(self.memory_gb * 1e9)

    def flops_per_s(self, dtype: Dtype) -> float | None:
        """Dense peak of matrix products in that dtype; None where no sourced figure is held (fp32), or the GPU has none."""
        peak = {"bfloat16": self.bf16, "float16": self.bf16, "float8": self.fp8}.get(dtype)
        return None if peak is None else peak * 1e12


class _Source(Strict):
    title: Text


class _File(Strict):
    sources: dict[Slug, _Source]
    gpus: dict[Slug, Gpu]


def load_gpus() -> Mapping[str, Gpu]:
    """Every GPU of the table by its id, in the order of the file."""
    return _load().gpus


def source_of(gpu: Gpu) -> str:
    """Where the row was read."""
    return _load().sources[gpu.source].title


def find_gpu(name: str, capability: str) -> Gpu | None:
    """The GPU of that product name and compute capability ("8.0"); None for one that the table does not hold.

    Names must match whole: an A100 and a slice of one, an H200 and an H200 NVL are different machines.
    """
    plain = name.strip().removeprefix("NVIDIA ").strip().lower()
    return next(
        (g for g in load_gpus().values() if g.capability == capability and plain in {n.lower() for n in g.names}), None
    )


def microarchitecture(capability: str) -> str | None:
    """The microarchitecture of a compute capability; None for one that is not known."""
    return MICROARCHITECTURES.get(capability)


@functools.cache
def _load() -> _File:
    located = read_located(Path(__file__).with_name("gpus.yaml"))
    file = validated(_File, located)
    for name, gpu in file.gpus.items():
        if gpu.source not in file.sources:
            raise located.error(("gpus", name, "source"), f"there is no source '{gpu.source}'.", "Name it above.")
        if gpu.capability not in MICROARCHITECTURES:
            raise located.error(("gpus", name, "capability"), "this compute capability has no microarchitecture.")
    return file
