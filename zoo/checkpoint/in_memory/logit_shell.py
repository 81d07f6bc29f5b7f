"""What a causal language model's own `forward` does between its hidden states and its logits, decoder and head taken out of it.

Some classes cap logits (Gemma 2), scale them (Cohere, Granite), or scale the states in front of the head. Where, is written in
`forward` alone. So `forward` is run with the decoder and the head replaced by parts that hand on what they are given: what
comes out is what it does to a logit.
"""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutputWithPast


def decoder_of(model: Any) -> Any:
    """The part of a causal language model that makes the hidden states before its head."""
    return model.base_model if model.base_model is not model else model.get_decoder()


class LogitShell:
    """A copy of a model without its decoder and its head, the linear layer `linear`; nothing of its weights is copied.

    A call raises whatever the model's own code raises at inputs that it was not written for.
    """

    def __init__(self, model: Any, linear: torch.nn.Linear) -> None:
        shared = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
        self._head = _HandedOn()
        self._model = copy.deepcopy(model, {**shared, id(decoder_of(model)): _Decoder(), id(linear): self._head})

    def __call__(self, given: torch.Tensor) -> torch.Tensor:
        """What becomes of `given` [rows, any number of logits], which stands for hidden states and for the head's output."""
        return self._model(inputs_embeds=given[None], use_cache=False).logits[0]

    @property
    def reached_head(self) -> torch.Tensor:
        """What of the last call came to the head: `given` itself where nothing is done in front of it."""
        return self._head.last[0]


class _HandedOn(torch.nn.Module):
    """In the head's place: what goes in comes out, and is remembered."""

    last: torch.Tensor

    def forward(self, given: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """What is given."""
        self.last = given
        return given


class _Output(BaseModelOutputWithPast):
    """A decoder's output that has nothing but the last hidden state."""

    def __getattr__(self, name: str) -> None:
        return None


class _Decoder(torch.nn.Module):
    """In the decoder's place: embeddings come out as hidden states."""

    @property
    def decoder(self) -> _Decoder:
        """What some classes call in place of the whole (OPT)."""
        return self

    def forward(self, *_: Any, inputs_embeds: torch.Tensor, **__: Any) -> _Output:
        """The embeddings as hidden states."""
        return _Output(last_hidden_state=inputs_embeds)  # pyright: ignore[reportArgumentType]
