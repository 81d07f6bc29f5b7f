"""Two models' distributions at every position, taken block by block, each reduced to a few numbers a position.

A block of each model is in memory, and nothing of the vocabulary's size is kept. Where a model's distributions come from is a
`Source`: a backend that computes them now, or anything else that gives the same blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.divergence.positions import Positions

Source = Callable[[Positions], Iterator[Any]]
"""Gives log p of the whole vocabulary at every position, in their order, in blocks: see `DistributionBackend.distributions`."""
WIDE = {"cpu": 512 << 10, "cuda": 64 << 20}
"""Bytes of a block that are taken in fp64 at a time. On a CPU they stay in the cache: 3 times as fast as 4 MiB."""

Reals = NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """What is kept: an entry a position, but for the log-probabilities of next tokens, one a pair. fp32."""

    kl: Reals
    """KL(A‖B) in nats."""
    reverse: Reals
    """KL(B‖A)."""
    agree: NDArray[np.bool_]
    """Whether both models have the same most probable token (the first among equals)."""
    logprob_a: Reals
    logprob_b: Reals
    rows: tuple[int, int] = (0, 0)
    """Tokens that A's and B's distributions are over. Compared are those that both have."""
    cut: float = 0.0
    """The largest probability that either gave to tokens that the other does not have, and that are left out."""


class NotProbabilitiesError(Exception):
    """A distribution with NaN, or one that rules a token out which the other does not; says at which position."""

    def __init__(self, position: int) -> None:
        super().__init__(f"position {position}")
        self.position = position


def measure(
    positions: Positions, a: Source, b: Source, shared: Callable[[int, int], int], told: Callable[[int], object]
) -> Measured:
    """Take both models' distributions, A the reference. `shared` says over how many tokens, given those of A's head and of B's;
    `told` hears of positions done.

    Raises what `shared` raises, NotProbabilitiesError where a divergence is not a finite number, ValueError where a source
    gives fewer or more positions than there are.
    """
    count, pairs = len(positions), len(positions.pair_token)
    kl, reverse, agree = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.bool_)
    logprobs = np.empty((2, pairs), np.float32)
    done, cut, rows = 0, 0.0, (0, 0)
    for ours, theirs in in_step(a(positions), b(positions)):
        rows = ours.shape[1], theirs.shape[1]
        vocabulary = shared(*rows)
        ours, mass = within(ours, vocabulary)
        theirs, other = within(theirs, vocabulary)
        cut = max(cut, mass, other)
        stop = done + len(ours)
        here = slice(done, stop)
        kl[here], reverse[here] = divergences(ours, theirs)
        agree[here] = (ours.argmax(-1) == theirs.argmax(-1)).cpu().numpy()
        _check(kl[here] + reverse[here], done)
        low, high = np.searchsorted(positions.pair_position, [done, stop])
        at = torch.from_numpy(positions.pair_position[low:high] - done).to(ours.device)
        token = torch.from_numpy(positions.pair_token[low:high]).to(ours.device)
        logprobs[0, low:high], logprobs[1, low:high] = (x[at, token].cpu().numpy() for x in (ours, theirs))
        done = stop
        told(done)
    if done != count:
        raise ValueError(f"distributions of {done} positions, not of {count}")
    return Measured(kl, reverse, agree, logprobs[0], logprobs[1], rows, cut)


def divergences(a: torch.Tensor, b: torch.Tensor) -> tuple[Any, Any]:
    """KL(A‖B) and KL(B‖A) of rows of log-probabilities, `[positions, vocabulary]`; nats, fp64, never negative, 0 of equals."""
    rows = max(1, WIDE[a.device.type] // (8 * a.shape[1]))
    parts: list[tuple[torch.Tensor, torch.Tensor]] = []
    for ours, theirs in zip(a.split(rows), b.split(rows), strict=True):
        wide, other = ours.double(), theirs.double()
        p, q, ratio = wide.exp(), other.exp(), other - wide
        parts.append((_divergence(p, q, ratio), _divergence(q, p, -ratio)))
    forth, back = (torch.cat(each).cpu().numpy() for each in zip(*parts, strict=True))
    return forth, back


def _divergence(p: torch.Tensor, q: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
    """Σ p·(e^δ - 1 - δ) with δ = `ratio` = log q - log p: Csiszár's I-divergence Σ p·log(p/q) - p + q (Ann. Statist. 1991,
    19:2032).

    It is KL where both sum to 1. Each term is 0 or more, and what fp32 leaves of the sums' difference from 1 counts in second
    order alone. Where δ is large, or p is 0, the terms are taken one by one.
    """
    near = p * (torch.expm1(ratio) - ratio)
    far = torch.where(p > 0, -p * ratio, 0.0) + (q - p)
    return torch.where((p > 0) & (ratio.abs() < 1), near, far).clamp_min(0).sum(-1)


def within(block: torch.Tensor, vocabulary: int) -> tuple[torch.Tensor, float]:
    """The block over the first `vocabulary` tokens, normalised again, and the largest probability that was left out."""
    if block.shape[1] == vocabulary:
        return block, 0.0
    kept = block[:, :vocabulary]
    total = kept.logsumexp(-1, keepdim=True)
    return kept - total, float(-torch.expm1(total.double()).min()) if len(block) else 0.0


def in_step(a: Iterator[Any], b: Iterator[Any]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Blocks of the two sources with the same positions, on A's device; ValueError where one ends before the other."""
    ours = theirs = torch.empty(0, 0)
    while True:
        ours = ours if len(ours) else _next(a)
        theirs = theirs if len(theirs) else _next(b)
        if not len(ours) or not len(theirs):
            if len(ours) or len(theirs):
                raise ValueError("one model has distributions of fewer positions than the other")
            return
        count = min(len(ours), len(theirs))
        yield ours[:count], theirs[:count].to(ours.device)
        ours, theirs = ours[count:], theirs[count:]


def _next(blocks: Iterator[Any]) -> torch.Tensor:
    """The next block that has a position in it; an empty one at the end."""
    return next((made for block in blocks if len(made := torch.as_tensor(block))), torch.empty(0, 0))


def _check(total: Any, start: int) -> None:
    bad = ~np.isfinite(total)
    if bad.any():
        raise NotProbabilitiesError(start + int(bad.argmax()))
