"""Floating-point operations of a model's token, by which the pace of one model is scaled to another's."""

from __future__ import annotations

from zoo.arch.parameters import flops_per_token
from zoo.checkpoint.locate import ModelFolder
from zoo.checkpoint.model_ref import ModelRef


def flops_of(model: ModelRef, found: ModelFolder | None) -> int | None:
    """Forward FLOPs of one token without context; `found` is the model's configuration where it is at hand.

    None where that is not, and for an architecture without a closed form.
    """
    if model.entry is not None:
        return flops_per_token(model.entry.architecture)
    dims = found.closed_form if found else None
    return flops_per_token(dims) if dims else None
