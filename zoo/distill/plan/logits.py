"""Bytes of logits that the chunked loss holds at once, by its own figures of how many rows that are."""

from __future__ import annotations

from zoo.distill.losses.blocks import rows_at_once, rows_together
from zoo.distill.plan.setup import Setup

FULL = 4
"""Bytes of an fp32 logit."""
COPIES = {1: 3, 2: 4}
"""fp32 tensors that are worked on at once where one or both sides have logits: theirs, and a softmax of each."""


def chunk_bytes(setup: Setup) -> int:
    """A chunk's logits in the dtype of the products, the teacher's too where it has a head, and some rows of them in fp32."""
    vocabulary = setup.student.vocab_size
    together = min(rows_together(setup.loss.chunk, setup.device), setup.tokens)
    at_once = min(rows_at_once(vocabulary, setup.device), together)
    sides = 1 if setup.targets == "sampled" else 2
    copies = COPIES[sides] + (1 if setup.loss.clm and setup.loss.temperature != 1 else 0)
    return sides * together * vocabulary * setup.width + copies * at_once * vocabulary * FULL
