"""From hidden states to the logits that the model means: its head, and what its own code does with a logit behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from backends.packing.forward_pass import Unsupported
from zoo.checkpoint.in_memory.logit_shell import LogitShell

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

    def logits(self, hidden: torch.Tensor, linear: Finish | None = None) -> torch.Tensor:
        """Logits of hidden states, `[states, vocabulary]`, in the weights' precision, or as `linear` computes the head."""
        logits = linear(hidden) if linear else self.linear(hidden.to(self.linear.weight.dtype))
        return logits if self.finish is None else self.finish(logits)


@torch.inference_mode()
def _finish(model: Any, linear: Any) -> Finish | None:
    finish = LogitShell(model, linear)
    # Rows and columns are as many as no dimension of a model is, and logits as large as they come.
    given = torch.linspace(-80, 80, 7 * 64, device=linear.weight.device).view(7, 64)
    try:
        found, parts = finish(given), torch.cat([finish(part) for part in given.split(16, 1)], 1)
    except Exception as error:  # a model's own code, with inputs that it was not written for
        raise Unsupported("there is more between its decoder and its logits than one linear layer") from error
    if found.shape != given.shape or not torch.equal(found, parts):
        raise Unsupported("what it does behind its head is not done one logit at a time")
    scaled_before = not torch.equal(finish.reached_head, given.split(16, 1)[-1])
    if scaled_before and linear.bias is not None:
        raise Unsupported("what it does between its decoder and its head does not show")
    return None if torch.equal(found, given) else finish
