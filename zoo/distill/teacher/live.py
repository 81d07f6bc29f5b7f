"""A teacher that is a model in memory: frozen, in inference mode, its head applied by whoever computes the loss."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo.distill.batch import Batch, ExactTargets, Head, counted
from zoo.distill.forward import check_documents_apart, check_layers, hidden_states
from zoo.distill.heads import head_of, renewed

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LiveTeacher:
    """The teacher's forward pass, up to the hidden states before its head, for each batch that is asked.

    The model is put into evaluation and none of its parameters takes a gradient any more. `layers` are those whose states
    the targets hold beside the last ones. `digest` is its checkpoint's; without one it is that of the weights in memory.
    Made before the model is sharded over processes. Raises UnsupportedArchitecture for a head that `Head` cannot say
    and for a model that mixes a row's documents, InvalidOption for a layer that it has not.
    """

    def __init__(self, model: PreTrainedModel, layers: tuple[int, ...] = (), digest: str | None = None) -> None:
        self.model = model.eval().requires_grad_(False)
        self.layers = layers
        self.digest = digest if digest is not None else weights_digest(model)
        self._head = head_of(model)
        check_layers(model, layers)
        check_documents_apart(model)
        self.vocabulary = int(self._head.weight.shape[0])

    @property
    def head(self) -> Head:
        """The output layer with the weights of now, whole on this process where the model is sharded."""
        now = renewed(self._head, self.model)
        return replace(now, weight=_whole(now.weight), bias=None if now.bias is None else _whole(now.bias))

    @property
    def device(self) -> torch.device:
        """Where it computes, and its targets are: its layers may wait elsewhere, its head never does."""
        head: Any = self.model.get_output_embeddings()
        return head.weight.device

    def targets(self, batch: Batch) -> ExactTargets:
        """Hidden states of the counted positions [tokens, hidden], and the head; tensors that autograd may keep."""
        with _without_gradient(self.model):
            hidden, states = hidden_states(self.model, _on(self.device, batch), self.layers)
        mask = counted(batch).to(hidden.device)
        # outside inference mode: a selection is a new, ordinary tensor, which a loss may save for its backward pass
        with torch.no_grad():
            return ExactTargets(hidden[mask], self.head, tuple(state[mask] for state in states))


def weights_digest(model: torch.nn.Module) -> str:
    """sha256 over the names, shapes, dtypes and bytes of all weights, in the order of their names; tied ones count once."""
    whole = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        whole.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        bits = weight.detach().cpu().contiguous().view(-1).view(torch.uint8)
        whole.update(bits.numpy().data)
    return whole.hexdigest()


def _on(device: torch.device, batch: Batch) -> Batch:
    def moved(tensor: Tensor) -> Tensor:
        return tensor.to(device, non_blocking=True)

    return replace(batch, ids=moved(batch.ids), positions=moved(batch.positions), weight=moved(batch.weight))


def _whole(weight: Tensor) -> Tensor:
    gather: Callable[[], Tensor] | None = getattr(weight, "full_tensor", None)  # of a DTensor
    return gather() if gather else weight


def _without_gradient(model: torch.nn.Module) -> AbstractContextManager[object]:
    """Inference mode; for a sharded model no_grad, since what FSDP gathers once serves later passes in other modes too."""
    return torch.no_grad() if _sharded(model) else torch.inference_mode()


def _sharded(model: torch.nn.Module) -> bool:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return False
    from torch.distributed.fsdp import FSDPModule

    return any(isinstance(part, FSDPModule) for part in model.modules())
