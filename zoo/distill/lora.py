"""Low-rank adapters: a few trained numbers beside frozen weights, added to them at the end.

Hu et al. 2021, arXiv 2106.09685: W' = W + (α / r) · B A, with A of a random draw and B zero, so that training begins at W. The
papers of the Minitron family train all weights; adapters are a departure from them, for machines that cannot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoo.errors import InvalidOption

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SCALE = 2.0
"""α / r. The paper sets α to the first r that was tried and does not tune it; twice r is this project's choice."""
DOWN, UP = "lora_down", "lora_up"
"""Names of A and B beside a layer's `weight`."""


class AdaptedLinear(nn.Linear):
    """A linear layer whose weight is frozen, with A [rank, in] and B [out, rank] beside it that are trained.

    The weight keeps its name, so a checkpoint of the model has all its tensors and the adapters' beside them.
    """

    def __init__(self, plain: nn.Linear, rank: int, generator: torch.Generator) -> None:
        """Take over the weight and bias of `plain`, without a copy."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.weight = nn.Parameter(plain.weight.data, requires_grad=False)
        bias = plain._parameters["bias"]  # pyright: ignore[reportPrivateUsage] (plain.bias is typed as never None)
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias.data, requires_grad=False))
        bound = 1 / math.sqrt(self.in_features)  # kaiming_uniform_(a=√5), as the paper's own code draws A
        drawn = torch.rand(rank, self.in_features, generator=generator) * 2 * bound - bound
        self.register_parameter(DOWN, nn.Parameter(drawn.to(plain.weight)))
        self.register_parameter(UP, nn.Parameter(plain.weight.new_zeros(self.out_features, rank)))

    def forward(self, input: Tensor) -> Tensor:
        """W x + bias + (α / r) · B A x."""
        # by attribute: while a bf16 step runs, what stands there is the parameter's cast, which get_parameter refuses
        low = nn.functional.linear(input, getattr(self, DOWN))
        return super().forward(input) + SCALE * nn.functional.linear(low, getattr(self, UP))


def add_adapters(model: PreTrainedModel, rank: int, seed: int = 0) -> int:
    """Freeze the model and put an adapter of this rank at each linear layer but the head; the numbers that are trained now.

    Raises InvalidOption for a rank that is no saving at some layer.
    """
    head = model.get_output_embeddings()
    places = [(parent, name, layer) for parent, name, layer in _linear_layers(model) if layer is not head]
    narrowest = min(min(layer.in_features, layer.out_features) for _, _, layer in places)
    if rank >= narrowest:
        raise InvalidOption(
            f"Adapters of rank {rank} are no saving: the narrowest layer has {narrowest} channels.",
            "Give a smaller --lora, or none to train all weights.",
        )
    model.requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(seed)
    for parent, name, layer in places:
        setattr(parent, name, AdaptedLinear(layer, rank, generator))
    return sum(one.numel() for one in model.parameters() if one.requires_grad)


def merge_adapters(model: PreTrainedModel) -> None:
    """Add every adapter to the weight beside it and leave a plain model, its weights in the dtype that they had."""
    for parent, name, layer in list(_linear_layers(model)):
        if isinstance(layer, AdaptedLinear):
            plain = nn.Linear(1, 1, bias=False, device="meta")
            plain.in_features, plain.out_features = layer.in_features, layer.out_features
            plain.register_parameter("bias", layer.bias)
            down, up = layer.get_parameter(DOWN), layer.get_parameter(UP)
            plain.weight = nn.Parameter(_merged(layer.weight.data, down.data, up.data), requires_grad=False)
            setattr(parent, name, plain)
    model.requires_grad_(requires_grad=True)


def merged_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a plain model from those of an adapted one: each adapter is added to its weight and goes.

    >>> import torch
    >>> tensors = {"q.weight": torch.zeros(2, 2), "q.lora_down": torch.ones(1, 2), "q.lora_up": torch.ones(2, 1)}
    >>> {name: one.tolist() for name, one in merged_weights(tensors).items()}
    {'q.weight': [[2.0, 2.0], [2.0, 2.0]]}
    """
    merged = {name: one for name, one in weights.items() if name.rpartition(".")[2] not in (DOWN, UP)}
    for name, up in weights.items():
        layer, _, last = name.rpartition(".")
        if last == UP:
            merged[f"{layer}.weight"] = _merged(merged[f"{layer}.weight"], weights[f"{layer}.{DOWN}"], up)
    return merged


def _merged(weight: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """W + (α / r) · B A, multiplied and added in fp32."""
    return (weight.float() + SCALE * (up.float() @ down.float())).to(weight.dtype)


def _linear_layers(model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """(module that holds it, its name there, the layer) of every linear layer."""
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear):
                yield parent, name, child
