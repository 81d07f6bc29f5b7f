"""What a run takes on a disk: the rows of token ids, a teacher's cache, the checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.distill.plan.setup import Setup
from zoo.distill.teacher.choose import exact_bytes, sampled_bytes

TOKEN = 4
"""Bytes of an id in a shard."""
STATE = {"adamw": 12.0, "adamw-8bit": 6.1}
"""Bytes a trained parameter that a run goes on from: the fp32 weight and AdamW's moments."""


@dataclass(frozen=True)
class Disk:
    """Bytes at the most, while the next checkpoint is written beside those that stay."""

    tokens: int
    cache: int
    checkpoint: int
    """One: weights, and what a run goes on from."""
    checkpoints: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.tokens + self.cache + self.checkpoints


def disk_bytes(setup: Setup, data: int | None = None) -> Disk:
    """Bytes for `data` tokens of text, by default as many as the run trains on; a cache holds each token once.

    A best checkpoint that is older than those kept stays with its weights alone.
    """
    tokens = trained_tokens(setup) if data is None else data
    weights = setup.parameters * setup.width
    checkpoint = weights + round(STATE[setup.train.optimizer] * (setup.trained + setup.projection))
    checkpoints = (setup.train.keep + 1) * checkpoint + weights
    return Disk(TOKEN * tokens, cache_bytes(setup) * tokens, checkpoint, checkpoints)


def cache_bytes(setup: Setup) -> int:
    """Bytes a token of the teacher's cache; 0 for a live one."""
    if setup.targets == "live":
        return 0
    if setup.targets == "sampled":
        return sampled_bytes(setup.draws)
    return exact_bytes(setup.teacher, setup.train.dtype, setup.pairs)


def trained_tokens(setup: Setup) -> int:
    """Tokens of all steps."""
    return setup.train.steps * setup.train.batch * setup.train.length
