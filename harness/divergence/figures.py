"""What is said of two models' distributions: means with their errors, percentiles, perplexities as a check."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.divergence.measured import Measured
from harness.divergence.positions import Documents, Positions
from harness.stats import constants
from harness.stats.paired.real import PairedMean, mean_interval, paired_mean
from harness.stats.percentiles import minimum_samples

HIGH = (0.5, 0.9, 0.95, 0.99, 0.999)
"""Percentiles of a divergence, beside its largest value."""
BOTH_SIDES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Percentiles of a change, which has two signs."""


@dataclass(frozen=True)
class Mean:
    """A mean over positions or tokens; its standard error counts documents, since positions of one are not independent."""

    value: float
    stderr: float | None
    lower: float | None
    upper: float | None
    documents: int
    """Independent units: documents, or what they share where they share something."""


@dataclass(frozen=True)
class Diverged:
    """One of the two models, and what it was run by."""

    name: str
    backend: str
    scoring: str
    """`packed`, or `plain` and why."""
    device: str
    precision: str
    """The dtype of the weights, and that of the products where it is another."""
    perplexity: float
    """exp of the mean negative log-probability of the requests' tokens."""


@dataclass(frozen=True)
class TaskDivergence:
    """The positions that documents of one task were the first to ask for."""

    task: str
    positions: int
    kl: Mean
    top1: Mean


Percentiles = dict[str, float | None]
"""`p99.9` → value; None where there are too few positions to state it (`harness.stats.percentiles`)."""


@dataclass(frozen=True)
class Divergence:
    """B against A, the reference. Divergences and log-probabilities in nats, agreement and probabilities as shares of 1."""

    a: Diverged
    b: Diverged
    suite: str
    positions: int
    tokens: int
    """Pairs of a position and a token that a request goes on with."""
    vocabulary: int
    kl: Mean
    """KL(A‖B)."""
    kl_percentiles: Percentiles
    reverse_kl: Mean
    """KL(B‖A)."""
    reverse_kl_percentiles: Percentiles
    top1: Mean
    """Share of positions at which both models have the same most probable token."""
    delta_p: Mean
    """p_B - p_A of a request's next token."""
    delta_p_rms: Mean
    """The root of its mean square."""
    delta_p_percentiles: Percentiles
    logprob: Mean
    """log p_B - log p_A of a request's next token."""
    tasks: tuple[TaskDivergence, ...]
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return dataclasses.asdict(self)


def figures(
    positions: Positions,
    documents: Documents,
    measured: Measured,
    models: Sequence[Diverged],
    suite: str,
    notes: Sequence[str],
) -> Divergence:
    """The figures of what was measured. `models` are A and B without their perplexity."""
    cluster = _numbered(documents.cluster)[positions.document]
    of_pair = cluster[positions.pair_position]
    log_a, log_b = (x.astype(np.float64) for x in (measured.logprob_a, measured.logprob_b))
    delta = np.exp(log_b) - np.exp(log_a)
    a, b = (
        dataclasses.replace(model, perplexity=_perplexity(logprobs))
        for model, logprobs in zip(models, (log_a, log_b), strict=True)
    )
    return Divergence(
        a,
        b,
        suite,
        len(positions),
        len(delta),
        min(measured.rows),
        mean_of(measured.kl, cluster),
        percentiles_of(measured.kl, HIGH),
        mean_of(measured.reverse, cluster),
        percentiles_of(measured.reverse, HIGH),
        mean_of(measured.agree, cluster),
        mean_of(delta, of_pair),
        root_of(mean_of(delta**2, of_pair)),
        percentiles_of(delta, BOTH_SIDES),
        mean_of(log_b - log_a, of_pair),
        tuple(_by_task(positions, documents, measured, cluster)),
        tuple(notes),
    )


def mean_of(values: Any, cluster: Any) -> Mean:
    """The mean of the values and its cluster-robust error; see `clustered`."""
    return as_mean(clustered(values, cluster))


def clustered(values: Any, cluster: Any) -> PairedMean:
    """What `paired_mean` gives of the values with these clusters (numbers), sooner: of the clusters' means, weighted by size.

    Sums are fp64.
    """
    _, cluster = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(cluster)
    sums = np.bincount(cluster, weights=np.asarray(values, np.float64))
    return paired_mean(sums / sizes, weights=sizes.tolist())


def as_mean(found: PairedMean) -> Mean:
    """The mean with its interval at the usual confidence."""
    return Mean(found.value, found.stderr, *mean_interval(found, constants.CONFIDENCE), found.units)


def percentiles_of(values: Any, wanted: Sequence[float]) -> Percentiles:
    """The p-quantiles (the smallest value with at least n·p at or below it), exact over all values, and both ends."""
    ordered = np.sort(np.asarray(values))
    n = len(ordered)
    found: Percentiles = {"min": float(ordered[0])}
    for p in wanted:
        told = n >= minimum_samples(p)
        found[f"p{100 * p:g}"] = float(ordered[max(1, math.ceil(n * p - 1e-9)) - 1]) if told else None
    return {**found, "max": float(ordered[-1])}


def _by_task(positions: Positions, documents: Documents, measured: Measured, cluster: Any) -> Any:
    task = np.array(_numbered(documents.task))[positions.document]
    for number, name in enumerate(dict.fromkeys(documents.task)):
        mine = task == number
        if mine.any():
            yield TaskDivergence(
                name,
                int(mine.sum()),
                mean_of(measured.kl[mine], cluster[mine]),
                mean_of(measured.agree[mine], cluster[mine]),
            )


def _numbered(names: Sequence[str]) -> Any:
    """A number for each name, in the order in which they appear."""
    number = {name: at for at, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], np.int64)


def _perplexity(logprobs: Any) -> float:
    return math.exp(-float(logprobs.mean())) if len(logprobs) else math.nan


def root_of(squares: Mean) -> Mean:
    """√ of a mean square; its error to first order (delta method), its bounds those of the square."""
    value = math.sqrt(squares.value)
    lower, upper = (None if x is None else math.sqrt(max(0.0, x)) for x in (squares.lower, squares.upper))
    stderr = None if squares.stderr is None else squares.stderr / (2 * value) if value else 0.0
    return Mean(value, stderr, lower, upper, squares.documents)
