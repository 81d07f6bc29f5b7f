"""Bytes of logits that the chunked loss holds at once.

Its three figures stand in zoo/distill/losses/blocks.py, which knows torch's devices; a test holds these to those.
"""

from __future__ import annotations

from zoo.distill.plan.setup import Setup

ROWS_ON_CPU = 256
AT_ONCE = {"cpu": 1 << 18, "cuda": 1 << 25}
FULL = 4
"""Bytes of an fp32 logit."""
COPIES = {1: 3, 2: 4}
"""fp32 tensors that are worked on at once where one or both sides have logits: theirs, and a softmax of each."""


def chunk_bytes(setup: Setup) -> int:
    """A chunk's logits in the dtype of the products, the teacher's too where it has a head, and some rows of them in fp32."""
    vocabulary = setup.student.vocab_size
    together, at_once = chunk_rows(setup)
    sides = 1 if setup.targets == "sampled" else 2
    copies = COPIES[sides] + (1 if setup.loss.clm and setup.loss.temperature != 1 else 0)
    return sides * together * vocabulary * setup.width + copies * at_once * vocabulary * FULL


def chunk_rows(setup: Setup) -> tuple[int, int]:
    """Tokens whose logits are in memory together, and how many of them are worked on at once."""
    chunk = setup.loss.chunk if setup.device == "cuda" else min(setup.loss.chunk, ROWS_ON_CPU)
    together = max(1, min(chunk, setup.tokens))
    return together, min(together, max(1, AT_ONCE[setup.device] // setup.student.vocab_size))
