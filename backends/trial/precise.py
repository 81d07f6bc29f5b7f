"""A model in half precision, run as if its weights were held in fp32: two ways then differ by rounding of fp32 alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

HALVES = (torch.bfloat16, torch.float16)
UNTOUCHED = (F.embedding, torch.Tensor.__getitem__)
"""Functions that only pick from a weight: what they pick is widened, not the whole."""


def precisely(model: Any) -> AbstractContextManager[Any]:
    """`Precise` where the model holds a weight in half precision, else nothing."""
    return Precise() if in_halves(model) else nullcontext()


def in_halves(model: Any) -> bool:
    """Whether the model holds a weight in half precision."""
    return any(parameter.dtype in HALVES for parameter in model.parameters())


class Precise(TorchFunctionMode):
    """Inside, every half-precision tensor is widened as a function takes it, and every half-precision dtype named is fp32.

    One weight at a time is held in fp32. It is a mode of the thread that enters it.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one function of torch."""
        if func in UNTOUCHED:
            return _wide(func(*args, **(kwargs or {})))
        out = func(*tree_map(_wide, args), **tree_map(_wide, kwargs or {}))
        return torch.float32 if isinstance(out, torch.dtype) and out in HALVES else out


def _wide(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return x.float() if x.dtype in HALVES else x
    return torch.float32 if isinstance(x, torch.dtype) and x in HALVES else x
