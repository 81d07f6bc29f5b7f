"""How candidates are cut and trained: settings that all of a search's candidates share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.distill.recipes import steps_of
from zoo.distill.settings import TrainSettings

DepthBy = Literal["bi", "ppl"]
"""Block Influence or perplexity: what the block of layers that goes is chosen by."""


@dataclass(frozen=True)
class Training:
    """How every candidate is trained: at a constant rate behind a warm-up, so that a rung is the beginning of the next one."""

    tokens: int
    """That a candidate gets at most."""
    batch: int
    length: int
    micro: int
    rate: float
    warm_up: int
    dtype: str = "float32"

    @property
    def steps(self) -> int:
        """Of the optimizer, at most."""
        return steps_of(self.tokens, self.batch, self.length)

    def settings(self, seed: int, steps: int | None = None) -> TrainSettings:
        """As the training loop takes them."""
        return TrainSettings(
            steps=steps or self.steps,
            batch=self.batch,
            length=self.length,
            micro=self.micro,
            rate=self.rate,
            least_rate=self.rate,
            warm_up=self.warm_up,
            schedule="constant",
            seed=seed,
            dtype="bfloat16" if self.dtype == "bfloat16" else "float32",
            keep=1,
            parallel="none",
        )

    def tokens_at(self, step: int) -> int:
        """Tokens of the rows of so many steps."""
        return step * self.batch * self.length


def rung_steps(steps: int, rungs: int) -> tuple[int, ...]:
    """So many rungs, each of twice the steps of the one before, the last of all.

    >>> rung_steps(240, 5), rung_steps(3, 5)
    ((15, 30, 60, 120, 240), (1, 2, 3))
    """
    found = {max(1, -(-steps // 2**behind)) for behind in range(rungs)}
    return tuple(sorted(found))
