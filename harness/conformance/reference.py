"""The reference of a checkpoint, where it can be had in memory: transformers' own forward pass in fp32, on the CPU."""

from __future__ import annotations

from backends.conformance.known import OpenReference
from backends.conformance.reference import plain_reference
from backends.memory import available_bytes, weight_bytes
from zoo.checkpoint.locate import Checkpoint, Outline

SHARE = 0.7
"""Of the host's free memory that the reference's weights may take: its activations and the backend's own calls come on top."""
SMALL = 1 << 30
"""Bytes of fp32 weights, a quarter of a billion parameters, up to which a self-check of seconds loads a reference."""


def reference_of(model: Outline, checkpoint: Checkpoint, most: int | None = None) -> OpenReference | None:
    """What opens the reference; None where its weights do not fit, or nobody knows what they take.

    `most`: bytes of fp32 weights beyond which there is none.
    """
    needs, free = weight_bytes(model, "float32"), available_bytes()
    if needs is None or (free is not None and needs > free * SHARE) or (most is not None and needs > most):
        return None
    return plain_reference(checkpoint)
