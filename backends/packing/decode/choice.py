"""Which way a model decodes on this machine: the compiled step where it can be had and is no slower, else torch's own calls.

What was chosen stands in the records, for the order of sums is the way's own. A way that is wanted and cannot be had is a
reason there, not an error: torch's calls give the same tokens, later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch

from backends.packing.decode.compiler import CannotCompile, compiler_version, library
from backends.packing.decode.decode_pass import DecodePass
from backends.packing.decode.graphs import GraphedStep, fit_of
from backends.packing.decode.native import NativeDecoder, NativeMatrix, check_native
from backends.packing.decode.torch_step import fuse
from backends.packing.decode.weights import DecoderWeights, NotFollowed, described
from backends.packing.forward_pass import Layer, Reach, running

Step = Callable[[Sequence[int], Sequence[int]], torch.Tensor]
"""The newest token of each active slot and its position → hidden states behind the final norm, `[active, width]`."""

WAYS = ("auto", "compiled", "torch")
"""`auto` measures; the others are taken where they can be had."""
FALLBACK = "fallback"
"""How the way's name begins where a speed is not to be compared (`harness.speed.validity` reads it)."""
UNCOMPILED = f"{FALLBACK}: torch, since its step was not compiled"
UNFIT = f"{FALLBACK}: CUDA graphs on hardware that this step is not for"
ROWS = (1, 16)
"""Sequences of the layer that is measured."""
SEEN = 64
"""Tokens that each of them sees."""
MARGIN = 1.1
"""How many times faster torch must be: the choice should not hang on a moment's noise."""
TURNS, ENOUGH = (3, 100), 0.1
"""Calls that are timed, at least and at most, and the seconds after which no more are: of tiny layers a moment's delay of a
thread is a hundred times their own time.
"""


class Fast(Protocol):
    """A model's fast step."""

    failures: list[str]
    """What a compiler said where it failed after the choice."""

    def step(self, cache: Sequence[Layer]) -> Step:
        """A step over this cache, which stays where it is."""
        ...

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The head's output, `[states, vocabulary]`."""
        ...


@dataclass
class Native:
    """The compiled step of a model on a CPU."""

    decoder: NativeDecoder
    head: NativeMatrix
    bias: torch.Tensor | None
    seconds: dict[int, tuple[float, float]] = field(default_factory=dict[int, tuple[float, float]])
    """Sequences → the time of the first layer, compiled and by torch; empty where it was not measured."""
    failures: list[str] = field(default_factory=list[str])

    def step(self, cache: Sequence[Layer]) -> Step:
        """See `Fast`."""
        return self.decoder.step(cache)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The head's output in fp32, `[states, vocabulary]`."""
        out = self.head(hidden)
        return out if self.bias is None else out.add_(self.bias)


@dataclass
class Graphed:
    """The step of a model on a GPU: compiled where the GPU can, captured in graphs."""

    weights: DecoderWeights
    head: Any
    compiles: bool
    failures: list[str] = field(default_factory=list[str])
    """See `Fast`: torch's calls were captured then."""

    def step(self, cache: Sequence[Layer]) -> Step:
        """See `Fast`."""
        return GraphedStep(self.weights, cache, self.compiles and not self.failures, self.failures.append)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The head's output in the weights' dtype."""
        return self.head(hidden)


def chosen(decoder: Any, layers: Any, head: Any, wanted: str = "auto") -> tuple[Fast | None, str]:
    """The fast step of a model, or None; and the way's name for the records."""
    if wanted == "torch":
        return None, "torch"
    if head.weight.is_cuda:
        return _on_gpu(decoder, layers, head)
    try:
        weights = described(decoder, layers)
        check_native(weights, head.weight)
        compiled = library()
    except NotFollowed as reason:
        return None, f"torch, since {reason}"
    except CannotCompile as reason:
        return None, f"{UNCOMPILED}: {reason}"
    bias = None if head.bias is None else head.bias.detach().float()
    native = Native(NativeDecoder(compiled, weights), NativeMatrix(compiled, head.weight), bias)
    if wanted == "auto":
        first = replace(weights, layers=weights.layers[:1])
        native.seconds.update(measured(NativeDecoder(compiled, first), layers[0]))
        if all(mine > theirs * MARGIN for mine, theirs in native.seconds.values()):
            return None, "torch, whose layers are faster on this processor"
    return native, f"compiled ({compiler_version()})"


def _on_gpu(decoder: Any, layers: Any, head: Any) -> tuple[Fast | None, str]:
    try:
        weights = described(decoder, layers)
    except NotFollowed as reason:
        return None, f"torch, since {reason}"
    fit = fit_of(torch.cuda.get_device_capability(head.weight.device), weights.layers[0].q.dtype)
    if fit.compiles:
        fuse(weights)
    told = "compiled, in CUDA graphs" if fit.compiles else "CUDA graphs"
    return Graphed(weights, head, fit.compiles), f"{UNFIT}: {fit.lacks}" if fit.lacks else told


@torch.inference_mode()
def measured(compiled: NativeDecoder, layer: Any) -> dict[int, tuple[float, float]]:
    """Seconds of the model's first layer for each of ROWS sequences: compiled, and as a CPU layer in torch's calls."""
    weights, found = compiled.weights, dict[int, tuple[float, float]]()
    for rows in ROWS:
        shape = rows, weights.layers[0].kv_heads, SEEN, weights.layers[0].head_dim
        cache = [(torch.zeros(shape), torch.zeros(shape))]
        places = torch.full((rows,), SEEN - 1)
        hidden = torch.ones(rows, 1, weights.norm.shape[0])
        angles = weights.decoder.rotary_emb(hidden, places[:, None])
        step = compiled.step(cache)
        with running(DecodePass(cache, places)):
            found[rows] = (
                _fastest(partial(step, [0] * rows, places.tolist())),
                _fastest(lambda x=hidden, at=angles: layer(x, attention_mask=Reach(), position_embeddings=at)),
            )
    return found


def _fastest(call: Callable[[], Any]) -> float:
    times: list[float] = []
    while len(times) < TURNS[0] or (len(times) < TURNS[1] and sum(times) < ENOUGH):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)
