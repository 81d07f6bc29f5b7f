"""A model's hidden states over packed rows, each document for itself, and the states of the layers that a loss matches."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from zoo.checkpoint.in_memory.logit_shell import decoder_of
from zoo.distill.batch import Batch
from zoo.errors import InvalidOption, UnsupportedArchitecture

EMBEDDING = -1
"""The number by which a loss asks for the embedding layer's output; decoder layers count from 0."""


def hidden_states(model: Any, batch: Batch, layers: Sequence[int] = ()) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The hidden states before the head, and the normed outputs of `layers`, in their order; [rows, length, hidden] each.

    No logits are computed. Documents are kept apart by `batch.positions`: without a cache and a mask transformers takes a
    position that does not follow its neighbour's for the start of another document (its
    `masking_utils.find_packed_sequence_indices`).

    A layer's state is its output, divided by its root mean square over the channels. (The paper takes states "post LayerNorm"
    and says no more. The norm here has no weights, so that channels count alike whatever the next layer's norm makes of them,
    and is the same for a teacher in memory and one in a file.) Raises what `check_layers` raises.
    """
    with _caught(model, layers) as found:
        output = decoder_of(model)(input_ids=batch.ids, position_ids=batch.positions, use_cache=False)
    return output.last_hidden_state, tuple(normed(found[layer]) for layer in layers)


def check_layers(model: Any, layers: Sequence[int]) -> None:
    """Raise InvalidOption for a layer that the model has not, UnsupportedArchitecture where its layers are not found."""
    for layer in layers:
        _module(model, layer)


@torch.no_grad()
def check_documents_apart(model: Any) -> None:
    """Raise UnsupportedArchitecture where a document's hidden states change with the document in front of it in its row.

    Two passes over eight tokens, so before the model is sharded. A state space model or a convolution carries its state on
    whatever the positions say, and some classes (OPT, Bloom) mask by no position.
    """
    device = model.get_input_embeddings().weight.device
    documents = torch.arange(8, device=device).view(2, 4)
    positions = torch.arange(4, device=device).repeat(2)[None]
    training = model.training
    model.eval()
    try:
        found = [
            decoder_of(model)(input_ids=ids.view(1, 8), position_ids=positions, use_cache=False).last_hidden_state[
                0, 4:
            ]
            for ids in (documents, torch.stack([documents[0].flip(0), documents[1]]))
        ]
    finally:
        model.train(training)
    if not torch.allclose(*found, rtol=1e-2, atol=1e-3 * found[0].abs().max().item(), equal_nan=True):
        raise UnsupportedArchitecture(
            f"{type(model).__name__} does not keep the documents of a row apart by their positions.",
            "Distillation takes attention models such as Llama, Mistral and Nemotron.",
        )


def normed(state: Tensor) -> Tensor:
    """A state divided by its root mean square over the last axis, computed in fp32, in the state's own dtype.

    >>> normed(torch.tensor([[3.0, 4.0, 0.0, 0.0]]))
    tensor([[1.2000, 1.6000, 0.0000, 0.0000]])
    """
    return torch.nn.functional.rms_norm(state.float(), (state.shape[-1],), eps=1e-6).to(state.dtype)


@contextmanager
def _caught(model: Any, layers: Sequence[int]) -> Generator[dict[int, Tensor]]:
    """While open, the outputs of these layers go into the dict; no other layer's output is kept alive."""
    found: dict[int, Tensor] = {}
    hooks = [_module(model, layer).register_forward_hook(_keeper(found, layer)) for layer in set(layers)]
    try:
        yield found
    finally:
        for hook in hooks:
            # An activation checkpoint runs the layer once more in the backward pass, and nothing is to be kept then.
            hook.remove()


def _keeper(found: dict[int, Tensor], layer: int) -> Any:
    def keep(module: torch.nn.Module, given: Any, output: Any) -> None:
        found[layer] = output[0] if isinstance(output, tuple) else output

    return keep


def _module(model: Any, layer: int) -> torch.nn.Module:
    if layer == EMBEDDING:
        return model.get_input_embeddings()
    layers = getattr(decoder_of(model), "layers", None)
    if not isinstance(layers, torch.nn.ModuleList):
        raise UnsupportedArchitecture(
            f"The decoder layers of {type(model).__name__} are not found, so their states cannot be matched.",
            "Leave the losses on intermediate states out.",
        )
    if not 0 <= layer < len(layers):
        raise InvalidOption(
            f"The states of layer {layer} are to be matched, and {type(model).__name__} has the layers 0 to {len(layers) - 1}.",
            "Layers count from 0; the embedding's output is asked for by a setting of its own.",
        )
    return layers[layer]
