"""Forward hooks that take what importance is made of from one decoder layer: its heads, neurons and norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.arch.dims import Dense
from zoo.prune.importance.aggregate import Aggregation, BatchSums, Neurons, along_sequence

RowValues = dict[str, NDArray[np.float64]]
"""heads [rows, query heads], ffn [rows, neurons], norm0 and norm1 [rows, channels]: aggregated along the sequence."""


class ActivationHooks:
    """A context manager: inside it a forward pass of the layer leaves its rows' values, which `take` gives.

    A head's value at a token is the norm ‖·‖₂ of its output before o_proj, taken first and aggregated then, as the
    paper has it (Model-Optimizer aggregates channels first, which ranks differently).
    """

    def __init__(self, layer: Any, dims: Dense, aggregation: Aggregation, neurons: Neurons = "post") -> None:
        self._layer, self._dims, self._how, self._neurons = layer, dims, aggregation, neurons
        self._seen: dict[str, torch.Tensor] = {}
        self._hooks: list[Any] = []

    def __enter__(self) -> ActivationHooks:
        layer = self._layer
        before = lambda use: lambda _module, args: use(args[0])  # noqa: E731
        after = lambda use: lambda _module, _args, out: use(out)  # noqa: E731
        self._hooks.append(layer.self_attn.o_proj.register_forward_pre_hook(before(self._take_heads)))
        if self._neurons == "post":
            self._hooks.append(layer.mlp.down_proj.register_forward_pre_hook(before(self._into("ffn"))))
        else:
            first = layer.mlp.up_proj if self._dims.activation == "relu2" else layer.mlp.gate_proj
            self._hooks.append(first.register_forward_hook(after(self._into("ffn"))))
        for at, norm in enumerate((layer.input_layernorm, layer.post_attention_layernorm)):
            self._hooks.append(norm.register_forward_hook(after(self._into(f"norm{at}"))))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def take(self) -> RowValues:
        """The values of the last pass, on the CPU in fp64."""
        return {name: values.double().cpu().numpy() for name, values in self._seen.items()}

    def _take_heads(self, mixed: torch.Tensor) -> None:
        split = mixed.float().unflatten(-1, (self._dims.num_attention_heads, self._dims.head_dim))
        self._seen["heads"] = along_sequence(torch.linalg.vector_norm(split, dim=-1), self._how.sequence)

    def _into(self, name: str) -> Callable[[torch.Tensor], None]:
        return lambda values: self._seen.__setitem__(name, along_sequence(values, self._how.sequence))


class LayerSums:
    """The sums of one layer over all rows: each batch is added in the order of the rows, whichever device computed it."""

    def __init__(self, dims: Dense) -> None:
        units = {"heads": dims.num_attention_heads, "ffn": dims.ffn_hidden_size}
        units |= {"norm0": dims.hidden_size, "norm1": dims.hidden_size}
        self._sums = {name: BatchSums(count) for name, count in units.items()}

    def add(self, values: RowValues) -> None:
        """Add a batch."""
        for name, sums in self._sums.items():
            sums.add(values[name])

    def scores(self, aggregation: Aggregation) -> dict[str, NDArray[np.float64]]:
        """heads [query heads], ffn [neurons], hidden [2, channels]."""
        found = {name: sums.score(aggregation.batch) for name, sums in self._sums.items()}
        hidden = np.stack([found.pop("norm0"), found.pop("norm1")])
        return {**found, "hidden": hidden}
