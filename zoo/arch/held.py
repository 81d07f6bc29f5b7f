"""How weights are held while a model runs: their bytes, in which dtype products are computed, and what the cache is kept in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu
from zoo.arch.parameters import BITS, Dtype
from zoo.arch.weight_bytes import WeightBytes, bytes_in
from zoo.errors import UnsupportedDtype

PLAIN: tuple[Dtype, ...] = ("float32", "bfloat16", "float16")
PRODUCTS: dict[Dtype, tuple[Dtype, ...]] = {
    "float8": ("float8", "bfloat16"),
    "int4": ("bfloat16",),
}
"""Weights' dtype → dtypes of matrix products, the best first: a GPU without fp8 units widens them, and any does with 4 bits."""


@dataclass(frozen=True)
class Held:
    """Weights as an engine holds them. `told` says it in words: a dtype, or the scheme in which they are stored."""

    weights: WeightBytes
    products: tuple[Dtype, ...]
    """Dtypes of matrix products, the best first."""
    kv: Dtype
    told: str

    def peak(self, gpu: Gpu) -> tuple[Dtype | None, float | None]:
        """The dtype in which that GPU computes products, and its dense peak; None where no sourced figure is held."""
        for dtype in self.products:
            peak = gpu.flops_per_s(dtype)
            if peak is not None:
                return dtype, peak
        return None, None


def known_dtype(wanted: str) -> Dtype:
    """The dtype of that name whose bytes are known; UnsupportedDtype for another."""
    if wanted not in BITS:
        raise UnsupportedDtype(f"'{wanted}' is not a dtype whose size is known.", f"Use {', '.join(BITS)}.")
    return wanted


def held_in(dims: Dense | Hybrid, dtype: Dtype, stored: str | None = None) -> Held:
    """Every weight in `dtype`; `stored` names the scheme of a quantised model that is not held as it is stored."""
    told = f"{dtype}, not as stored ({stored})" if stored else dtype
    return Held(bytes_in(dims, dtype), products_of(dtype), kv_dtype_of(dtype), told)


def products_of(dtype: Dtype) -> tuple[Dtype, ...]:
    """The dtypes of matrix products with weights in `dtype`, the best first."""
    return PRODUCTS.get(dtype, (dtype,))


def kv_dtype_of(dtype: Dtype) -> Dtype:
    """The dtype of the cache beside weights of `dtype`: theirs, or 16 bits where those are narrower."""
    return dtype if BITS[dtype] >= 16 else "bfloat16"


def config_dtype(config: Mapping[str, Any]) -> Dtype | None:
    """The float dtype that a config.json names for its weights; None where it names none that is known."""
    text = config.get("text_config")
    parts = (text if isinstance(text, Mapping) else {}, config)
    named = next((part[key] for part in parts for key in ("dtype", "torch_dtype") if part.get(key)), None)
    return next((dtype for dtype in PLAIN if named == dtype), None)
