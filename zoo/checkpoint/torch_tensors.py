"""Stored bits as torch tensors, without a copy."""

from __future__ import annotations

import torch

from zoo.checkpoint.tensor_rows import BITS, RawBits

TORCH_DTYPE = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
"""safetensors dtype → torch dtype, of the dtypes in `BITS`."""


def as_tensor(raw: RawBits, dtype: str) -> torch.Tensor:
    """Bits of a safetensors dtype as a tensor of that dtype; shares the memory of `raw`."""
    return torch.from_numpy(raw.view(BITS[dtype].signed)).view(TORCH_DTYPE[dtype])
