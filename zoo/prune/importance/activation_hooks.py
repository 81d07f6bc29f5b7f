"""Forward hooks that accumulate importance for one decoder layer: its heads, neurons and norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.arch.dims import Dense
from zoo.prune.importance.aggregate import Aggregation, BatchSums, Neurons, along_sequence


class ActivationHooks:
    """A context manager: inside it every forward pass of the layer adds to the sums.

    A head's value at a token is the norm ‖·‖₂ of its output before o_proj, taken first and aggregated then, as the
    paper has it (Model-Optimizer aggregates channels first, which ranks differently).
    """

    def __init__(self, layer: Any, dims: Dense, aggregation: Aggregation, neurons: Neurons = "post") -> None:
        self._layer, self._dims, self._how, self._neurons = layer, dims, aggregation, neurons
        self.heads = BatchSums(dims.num_attention_heads)
        self.ffn = BatchSums(dims.ffn_hidden_size)
        self.norms = (BatchSums(dims.hidden_size), BatchSums(dims.hidden_size))
        self._hooks: list[Any] = []

    def __enter__(self) -> ActivationHooks:
        layer = self._layer
        before = lambda use: lambda _module, args: use(args[0])  # noqa: E731
        after = lambda use: lambda _module, _args, out: use(out)  # noqa: E731
        self._hooks.append(layer.self_attn.o_proj.register_forward_pre_hook(before(self._take_heads)))
        if self._neurons == "post":
            self._hooks.append(layer.mlp.down_proj.register_forward_pre_hook(before(self._into(self.ffn))))
        else:
            first = layer.mlp.up_proj if self._dims.activation == "relu2" else layer.mlp.gate_proj
            self._hooks.append(first.register_forward_hook(after(self._into(self.ffn))))
        for norm, sums in zip((layer.input_layernorm, layer.post_attention_layernorm), self.norms, strict=True):
            self._hooks.append(norm.register_forward_hook(after(self._into(sums))))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def scores(self) -> dict[str, NDArray[np.float64]]:
        """heads [query heads], ffn [neurons], hidden [2, channels]."""
        hidden = np.stack([sums.score(self._how.batch) for sums in self.norms])
        return {"heads": self.heads.score(self._how.batch), "ffn": self.ffn.score(self._how.batch), "hidden": hidden}

    def _take_heads(self, mixed: torch.Tensor) -> None:
        split = mixed.float().unflatten(-1, (self._dims.num_attention_heads, self._dims.head_dim))
        self.heads.add(along_sequence(torch.linalg.vector_norm(split, dim=-1), self._how.sequence))

    def _into(self, sums: BatchSums) -> Callable[[torch.Tensor], None]:
        return lambda values: sums.add(along_sequence(values, self._how.sequence))
