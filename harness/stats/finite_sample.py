"""How near a score of some documents is to that of all of them, and what else makes it move: decoding and few-shot draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from harness.stats.intervals import Stratum, Z, stratified_variance


def whole_stderr(stderr: float, n: int, total: int, decoding: float = 0.0) -> float:
    """The error of a mean of `n` of a task's `total` documents, taken as an estimate of what all of them would give.

    √((1 − n/total)·stderr² + n/total·decoding²): documents chosen at random, answers sampled for each (Cochran, Sampling
    Techniques, 3rd ed., eq. 10.15 with an infinite second stage). Once every document is run only the sampling of the
    answers, `decoding_stderr`, is left: whoever else ran the same documents met the same difficulties.
    """
    f = min(1.0, n / total)
    return math.sqrt((1 - f) * stderr**2 + f * decoding**2)


def decoding_stderr(shares: Sequence[float], samples: int) -> float | None:
    """The part of the error of a mean pass@1 that comes from sampling answers: √(Σ pᵢ(1−pᵢ)/(samples−1)) / n.

    `shares` are the problems' shares of passed samples; the term is unbiased for the variance of pᵢ. None for one sample.
    """
    if samples < 2:
        return None
    return math.sqrt(math.fsum(p * (1 - p) for p in shares) / (samples - 1)) / len(shares)


def stratified_whole_stderr(strata: Sequence[Stratum], totals: Sequence[int]) -> float | None:
    """`whole_stderr` of a weighted mean over strata, each with its own number of documents in all. Cochran, eq. 5.7."""
    if all(stratum.n >= total for stratum, total in zip(strata, totals, strict=True)):
        return 0.0
    shrunk = [
        Stratum(s.weight * math.sqrt(max(0.0, 1 - s.n / total)), s.value, s.stderr, s.n)
        for s, total in zip(strata, totals, strict=True)
    ]
    variance = stratified_variance(shrunk)
    return None if variance is None else math.sqrt(variance)


def repeatability_limit(draws: Sequence[float]) -> float | None:
    """How far two runs that differ only in the few-shot examples drawn lie apart in 95 % of cases: z·√2·s (ISO 5725-6, 4.1).

    `draws` are the scores of several draws. None for fewer than two.
    """
    return Z * math.sqrt(2) * stdev(draws) if len(draws) > 1 else None
