"""On a GPU: the step compiled, and captured as a CUDA graph for each number of sequences and each span of the cache.

A graph is launched at once: neither Python nor the driver stands between two kernels. Written against torch's interface and
not run by this project on a GPU yet; what it computes is tested on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from backends.packing.decode.torch_step import LayerCall, TorchStep, layer_step
from backends.packing.decode.weights import DecoderWeights
from backends.packing.forward_pass import Layer
from zoo.errors import one_line

COMPILES_FROM = (7, 0)
"""Compute capability from which torch's compiler has kernels (Triton's own bound)."""
BF16_FROM = (8, 0)
"""Capability from which bf16 is a type of the hardware; below it every product is a detour."""
SHORTEST_SPAN = 128
MODE = "max-autotune-no-cudagraphs"
WARM_UPS = 2


@dataclass(frozen=True)
class Fit:
    """What a GPU can do of the step; `lacks` is why it is no fair figure, empty where it does all."""

    compiles: bool
    lacks: str = ""


def fit_of(capability: tuple[int, int], dtype: torch.dtype) -> Fit:
    """What a GPU of that compute capability does of a step in that dtype."""
    said = ".".join(map(str, capability))
    if capability < COMPILES_FROM:
        return Fit(False, f"a GPU of capability {said} is older than torch's compiler takes (7.0)")
    if dtype == torch.bfloat16 and capability < BF16_FROM:
        return Fit(True, f"a GPU of capability {said} has no bfloat16 of its own (8.0 has)")
    return Fit(True)


def buckets(most: int, least: int = 1) -> list[int]:
    """Powers of two times `least` below `most`, and `most`: sizes that a graph is captured for."""
    sizes: list[int] = []
    size = least
    while size < most:
        sizes.append(size)
        size *= 2
    return [*sizes, most]


def bucket(size: int, sizes: Sequence[int]) -> int:
    """The smallest of ascending sizes that holds it."""
    return next(one for one in sizes if one >= size)


def compiled_layer(shapes: int) -> LayerCall:
    """`layer_step` compiled; `shapes` is how many unlike layers, batches and spans it may meet before torch would give up."""
    settings: Any = torch.compiler.config
    call: Any = torch.compile(layer_step, mode=MODE, fullgraph=True, dynamic=False)

    def run(*args: Any) -> torch.Tensor:
        limits = {"recompile_limit": shapes, "accumulated_recompile_limit": shapes, "fail_on_recompile_limit_hit": True}
        with settings.patch(limits):
            return call(*args)

    return run


class GraphedStep:
    """A step over one cache on a GPU. Compiling that fails is told to `on_failure` once; torch's calls are captured then."""

    def __init__(
        self, weights: DecoderWeights, cache: Sequence[Layer], compiles: bool, on_failure: Callable[[str], None]
    ) -> None:
        slots, _, length, _ = cache[0][0].shape
        self._rows, self._spans = buckets(slots), buckets(length, SHORTEST_SPAN)
        shapes = len({layer.shape for layer in weights.layers}) * len(self._rows) * len(self._spans)
        self._make: Callable[[LayerCall | None], TorchStep] = partial(TorchStep, weights, cache, False)
        self._step = self._make(compiled_layer(2 * shapes) if compiles else None)
        self._on_failure = on_failure
        device = cache[0][0].device
        self._tokens = torch.zeros(slots, dtype=torch.long, device=device)
        self._positions = torch.zeros_like(self._tokens)
        self._length, self._graphs = length, dict[tuple[int, int], tuple[Any, torch.Tensor]]()
        self._pool: Any = None

    def __call__(self, tokens: Sequence[int], positions: Sequence[int]) -> torch.Tensor:
        """Hidden states of the active sequences, `[active, width]`, until the next step."""
        if max(positions) >= self._length:
            raise ValueError(f"a token at position {max(positions)} has no place in a cache of {self._length}")
        size = bucket(len(tokens), self._rows), bucket(max(positions) + 1, self._spans)
        # Idle rows write to the start of free slots, which the next prompt fills anew.
        idle = [0] * (size[0] - len(tokens))
        told = torch.tensor([[*tokens, *idle], [*positions, *idle]]).pin_memory()
        self._tokens[: size[0]].copy_(told[0], non_blocking=True)
        self._positions[: size[0]].copy_(told[1], non_blocking=True)
        if size not in self._graphs:
            self._graphs[size] = self._captured(*size)
        graph, hidden = self._graphs[size]
        graph.replay()
        return hidden[: len(tokens)]

    def _captured(self, rows: int, span: int) -> tuple[Any, torch.Tensor]:
        """The graph of a size, and where it leaves its hidden states."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._run_or_fall_back(rows, span)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            hidden = self._step(self._tokens[:rows], self._positions[:rows], span)
        self._pool = self._pool or graph.pool()
        return graph, hidden

    def _run_or_fall_back(self, rows: int, span: int) -> None:
        try:
            self._step(self._tokens[:rows], self._positions[:rows], span)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # the compiler raises whatever it met
            self._on_failure(one_line(error)[:200])
            self._step = self._make(None)
            self._step(self._tokens[:rows], self._positions[:rows], span)
