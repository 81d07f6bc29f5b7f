"""From hidden states to the logits that the model means: its head, and what its own code does with a logit behind it.

Some classes cap logits (Gemma 2), scale them (Cohere, Granite), or scale the states in front of the head. Where, is written in
`forward` alone. So `forward` is run with the decoder and the head replaced by parts that hand on what they are given: what
comes out is what it does to a logit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutputWithPast

from backends.packing.forward_pass import Unsupported

Finish = Callable[[torch.Tensor], torch.Tensor]
"""From the head's output to logits, `[rows, any part of the vocabulary]` both."""


class OutputHead:
    """The linear layer over the vocabulary, and `finish`: what follows it, one logit at a time; None for nothing.

    Raises Unsupported for a head of another kind, and where a logit depends on others.
    """

    def __init__(self, model: Any) -> None:
        self.linear: Any = model.get_output_embeddings()
        if not isinstance(self.linear, torch.nn.Linear):
            raise Unsupported("its head is not a linear layer")
        self.finish = _finish(model, self.linear)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of hidden states, `[states, vocabulary]`, in the weights' precision."""
        logits = self.linear(hidden.to(self.linear.weight.dtype))
        return logits if self.finish is None else self.finish(logits)


@torch.inference_mode()
def _finish(model: Any, linear: Any) -> Finish | None:
    handed_on = _HandedOn()
    shell = _shell(model, linear, handed_on)

    def finish(logits: torch.Tensor) -> torch.Tensor:
        return shell(inputs_embeds=logits[None], use_cache=False).logits[0]

    # Rows and columns are as many as no dimension of a model is, and logits as large as they come.
    given = torch.linspace(-80, 80, 7 * 64, device=linear.weight.device).view(7, 64)
    try:
        found, parts = finish(given), torch.cat([finish(part) for part in given.split(16, 1)], 1)
    except Exception as error:  # a model's own code, with inputs that it was not written for
        raise Unsupported("there is more between its decoder and its logits than one linear layer") from error
    if found.shape != given.shape or not torch.equal(found, parts):
        raise Unsupported("what it does behind its head is not done one logit at a time")
    scaled_before = not torch.equal(handed_on.last[0], given.split(16, 1)[-1])
    if scaled_before and linear.bias is not None:
        raise Unsupported("what it does between its decoder and its head does not show")
    return None if torch.equal(found, given) else finish


class _HandedOn(torch.nn.Module):
    """In the decoder's and the head's place: what goes in comes out."""

    last: torch.Tensor

    def forward(self, given: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """In the head's place; remembers what came."""
        self.last = given
        return given


class _Output(BaseModelOutputWithPast):
    """A decoder's output that has nothing but the last hidden state."""

    def __getattr__(self, name: str) -> None:
        return None


class _Decoder(torch.nn.Module):
    @property
    def decoder(self) -> _Decoder:
        """What some classes call in place of the whole (OPT)."""
        return self

    def forward(self, *_: Any, inputs_embeds: torch.Tensor, **__: Any) -> _Output:
        """The embeddings as hidden states."""
        return _Output(last_hidden_state=inputs_embeds)  # pyright: ignore[reportArgumentType]


def _shell(model: Any, linear: Any, head: torch.nn.Module) -> Any:
    """A copy of the model without decoder and head; nothing of its weights is copied."""
    inner = model.base_model if model.base_model is not model else model.get_decoder()
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, {**shared, id(inner): _Decoder(), id(linear): head})
