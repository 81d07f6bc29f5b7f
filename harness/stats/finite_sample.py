"""How near a score of some documents is to that of all of them, and what else makes it move: decoding and few-shot draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from harness.stats import constants
from harness.stats.sufficient import DecodingNoise


def whole_stderr(stderr: float, n: int, total: int, decoding: float = 0.0) -> float:
    """The error of a mean of `n` of a task's `total` documents, taken as an estimate of what all of them would give.

    √((1 − n/total)·stderr² + n/total·decoding²): documents chosen at random, answers sampled for each (Cochran, Sampling
    Techniques, 3rd ed., eq. 10.15 with an infinite second stage). Once every document is run only the sampling of the
    answers, `decoding_stderr`, is left: whoever else ran the same documents met the same difficulties.
    """
    f = min(1.0, n / total)
    return math.sqrt((1 - f) * stderr**2 + f * decoding**2)


def decoding_noise(shares: Sequence[float], samples: int) -> DecodingNoise:
    """The sums of the problems' shares of passed samples."""
    return DecodingNoise(spread=math.fsum(p * (1 - p) for p in shares), samples=samples)


def decoding_stderr(noise: DecodingNoise, problems: int) -> float | None:
    """The part of the error of a mean pass@1 that comes from sampling answers: √(Σ pᵢ(1−pᵢ)/(samples−1)) / problems.

    The term is unbiased for the variance of pᵢ. None for one sample.
    """
    return math.sqrt(noise.spread / (noise.samples - 1)) / problems if noise.samples > 1 else None


def repeatability_limit(sd: float) -> float:
    """How far two runs that differ only in the few-shot examples drawn lie apart in 95 % of cases: z·√2·s (ISO 5725-6, 4.1).

    `sd` is the standard deviation of the scores over several draws.
    """
    return constants.Z * math.sqrt(2) * sd


def draws_sd(draws: Sequence[float]) -> float | None:
    """The standard deviation over draws of few-shot examples; None for fewer than two."""
    return stdev(draws) if len(draws) > 1 else None
