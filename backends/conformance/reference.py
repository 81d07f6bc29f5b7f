"""Where the known answers come from: transformers' plain model of the same checkpoint in fp32, on a CPU."""

from __future__ import annotations

from backends.conformance.known import OpenReference
from backends.contract import Backend, Options
from backends.opening import open_backend
from zoo.checkpoint.locate import Checkpoint

PLAIN = Options(device="cpu", dtype="float32", eager=True)
"""Plain, so that nothing is shared or packed; on a CPU, since an engine may hold the whole of a GPU."""


def plain_reference(checkpoint: Checkpoint) -> OpenReference:
    """Opens `hf`, or `pruned` for a folder that nothing else can run (transformers' code over the weights that we cut)."""

    def opener() -> Backend:
        return open_backend(checkpoint, "pruned" if checkpoint.only_pruned else "hf", PLAIN)

    return opener
