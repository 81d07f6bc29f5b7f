"""Floating-point operations of a model's token, by which the pace of one model is scaled to another's."""

from __future__ import annotations

from zoo.arch.hf_config import dims_of
from zoo.arch.parameters import flops_per_token
from zoo.checkpoint.locate import ModelFolder
from zoo.checkpoint.model_ref import ModelRef
from zoo.checkpoint.plan_folder import LAYER_WIDTHS
from zoo.errors import InputError


def flops_of(model: ModelRef, found: ModelFolder | None) -> int | None:
    """Forward FLOPs of one token without context; `found` is the model's configuration where it is at hand.

    None where that is not, and for an architecture without a closed form.
    """
    if model.entry is not None:
        return flops_per_token(model.entry.architecture)
    if found is None or LAYER_WIDTHS in found.config:
        return None
    try:
        return flops_per_token(dims_of(found.config, found.folder))
    except InputError:
        return None
