"""A model's output layer as the chunked loss applies it: weight, bias, and what the model does to a logit behind it.

Where a class scales or caps its logits is written in its `forward` alone; by what, in its configuration. So the figures are
read by the configuration's names, and then the model's own `forward`, with the decoder and the head replaced by parts that
hand on what they are given, must do to a logit what they say. A model that does anything else is refused.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import chain
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutputWithPast

from zoo.distill.batch import Head
from zoo.errors import UnsupportedArchitecture

MULTIPLIERS = ("logit_scale",)
"""Cohere."""
DIVISORS = ("logits_scaling",)
"""Granite; MiniCPM 3, which divides the states in front of a head without bias, and that is the same."""
CAP = "final_logit_softcapping"
"""Gemma 2 and later."""


def head_of(model: Any) -> Head:
    """The output layer of a causal language model; a tied one is the embedding's own parameter.

    To be asked before the model is sharded over processes. Raises UnsupportedArchitecture for a head that is not one linear
    layer, and for a model that does something else with its logits than `Head` says.
    """
    linear = _linear(model)
    config = model.config.get_text_config()
    scale, cap = _scale(config), getattr(config, CAP, None)
    head = Head(linear.weight, linear.bias, scale, None if cap is None else float(cap))
    _prove(model, linear, head)
    return head


def renewed(head: Head, model: Any) -> Head:
    """The head with the weight and bias that the model has now: under `fully_shard` they are others inside each forward."""
    linear = model.get_output_embeddings()
    return replace(head, weight=linear.weight, bias=linear.bias)


def decoder_of(model: Any) -> Any:
    """The part of a causal language model that makes the hidden states before its head."""
    return model.base_model if model.base_model is not model else model.get_decoder()


def _linear(model: Any) -> torch.nn.Linear:
    found = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if not isinstance(found, torch.nn.Linear):
        raise UnsupportedArchitecture(
            f"{type(model).__name__} has no head that is one linear layer over the vocabulary.",
            "Distillation takes causal language models such as Llama, Mistral and Nemotron.",
        )
    return found


def _scale(config: Any) -> float:
    scale = 1.0
    for name in MULTIPLIERS:
        scale *= 1.0 if getattr(config, name, None) is None else float(getattr(config, name))
    for name in DIVISORS:
        scale /= 1.0 if getattr(config, name, None) is None else float(getattr(config, name))
    return scale


@torch.no_grad()
def _prove(model: Any, linear: torch.nn.Linear, head: Head) -> None:
    """Raise UnsupportedArchitecture unless the model's forward does to a logit what `head` says."""
    # Rows and columns are as many as no dimension of a model is, and logits as large as they come.
    given = torch.linspace(-80, 80, 7 * 64).view(7, 64)
    said = given if head.softcap is None else head.softcap * torch.tanh(given / head.softcap)
    handed_on = _HandedOn()
    try:
        found = _shell(model, linear, handed_on)(inputs_embeds=given[None], use_cache=False).logits[0]
    except Exception as error:  # a model's own code, with inputs that it was not written for
        raise _refused(model) from error
    in_front = not torch.equal(handed_on.last[0], given)
    if found.shape != given.shape or (in_front and head.bias is not None):
        raise _refused(model)
    if not torch.allclose(found.float(), said * head.scale, rtol=1e-5, atol=1e-6):
        raise _refused(model)


def _refused(model: Any) -> UnsupportedArchitecture:
    return UnsupportedArchitecture(
        f"What {type(model).__name__} does between its hidden states and its logits is not known: more than a head, "
        f"a scale and a cap, or by other names than {', '.join((*MULTIPLIERS, *DIVISORS, CAP))}.",
        "Distillation takes causal language models such as Llama, Mistral and Nemotron.",
    )


class _HandedOn(torch.nn.Module):
    """In the head's place: what goes in comes out, and is remembered."""

    last: torch.Tensor

    def forward(self, given: torch.Tensor) -> torch.Tensor:
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


def _shell(model: Any, linear: torch.nn.Linear, head: torch.nn.Module) -> Any:
    """A copy of the model without decoder and head; nothing of its weights is copied."""
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, {**shared, id(decoder_of(model)): _Decoder(), id(linear): head})
