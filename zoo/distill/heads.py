"""A model's output layer as the chunked loss applies it: weight, bias, and what the model does to a logit behind it.

Where a class scales or caps its logits is written in its `forward` alone; by what, in its configuration. So the figures are
read by the configuration's names, and then the model's own `forward` must do to a logit what they say. A model that does
anything else is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from zoo.checkpoint.in_memory.logit_shell import LogitShell
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
    try:
        shell = LogitShell(model, linear)
        found = shell(given)
    except Exception as error:  # a model's own code, with inputs that it was not written for
        raise _refused(model) from error
    in_front = not torch.equal(shell.reached_head, given)
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
