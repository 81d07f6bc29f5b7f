"""How a unit of the model runs: with weights cast to bf16 that stay in fp32, and with its activations computed twice.

A unit is a decoder layer, or what is around the layers. Casting is what `fully_shard` does with its MixedPrecisionPolicy, here
for processes that hold whole weights: while a unit runs, its weights are casts of the fp32 ones; gradients come back through
the casts in fp32. autocast would keep embeddings, norms and the residual stream in fp32, so one process and several would not
compute the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

Place = tuple[nn.Module, str]
"""A module and the name of one of its parameters."""


def compute_in(dtype: torch.dtype, root: nn.Module, layers: Sequence[nn.Module]) -> None:
    """Let `root`, and each of its `layers` for itself, compute with its weights cast to `dtype`.

    A layer's casts live as long as the backward pass needs them; under activation checkpoints they are made again.
    """
    inside = {id(module) for layer in layers for module in layer.modules()}
    for layer in layers:
        _wrap(layer, _places(list(layer.modules())), dtype)
    _wrap(root, _places([module for module in root.modules() if id(module) not in inside]), dtype)


def compute_twice(layers: Sequence[nn.Module]) -> None:
    """Let each layer keep its input alone for the backward pass, and compute its activations once more there.

    transformers' own switch wraps a layer's hooks in some versions and not in others, and casts and gathered shards have to
    be known to stand inside and outside; so the layer's `forward` is wrapped here.
    """
    for layer in layers:
        layer.forward = _twice(layer.forward)


def _twice(plain: Callable[..., Any]) -> Callable[..., Any]:
    def forward(*given: Any, **named: Any) -> Any:
        return checkpoint(plain, *given, use_reentrant=False, **named)

    return forward


def _places(modules: list[nn.Module]) -> list[Place]:
    return [(module, name) for module in modules for name, _ in module.named_parameters(recurse=False)]


def _wrap(unit: nn.Module, places: list[Place], dtype: torch.dtype) -> None:
    plain = unit.forward

    def forward(*given: Any, **named: Any) -> Any:
        with _cast(places, dtype):
            return plain(*given, **named)

    unit.forward = forward


@contextlib.contextmanager
def _cast(places: list[Place], dtype: torch.dtype) -> Generator[None]:
    """While open, the parameters at these places are their casts; one that stands at two places has one cast."""
    held = [(module, name, module._parameters[name]) for module, name in places]  # pyright: ignore[reportPrivateUsage]
    casts = {id(weight): weight.to(dtype) for _, _, weight in held if weight is not None}
    try:
        for module, name, weight in held:
            module._parameters[name] = casts[id(weight)]  # pyright: ignore[reportPrivateUsage, reportArgumentType]
        yield
    finally:
        for module, name, weight in held:
            module._parameters[name] = weight  # pyright: ignore[reportPrivateUsage]
