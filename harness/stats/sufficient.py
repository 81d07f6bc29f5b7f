"""Sufficient statistics: what a record keeps of a score's documents, enough for `derive` to tell its error.

A tagged union by `kind`. Each says which sums it holds; the formulas that use them stand beside the estimators.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.strict import Frozen


class MeanStatistics(Frozen):
    """Of a mean over documents, several of which may form one independent unit (a cluster)."""

    kind: Literal["mean"] = "mean"
    squares: float
    """Σ over units of (Σ over the unit's documents of (value − mean))²."""
    units: int
    binary: bool
    """Whether every value is 0 or 1."""
    unit_interval: bool
    """Whether the metric lies between 0 and 1 whatever the documents."""


class RatioStatistics(Frozen):
    """Of a ratio of sums R = Σa/Σw."""

    kind: Literal["ratio"] = "ratio"
    weight: float
    """Σw."""
    squares: float
    """Σ(a − R·w)²."""


class TransformStatistics(Frozen):
    """Of a function of a mean or a ratio: a perplexity, bits a byte."""

    kind: Literal["transform"] = "transform"
    function: Literal["exp(-x)", "-x/ln 2"]
    argument: float
    """x."""
    statistics: Annotated[MeanStatistics | RatioStatistics, Field(discriminator="kind")]


class ResampledStatistics(Frozen):
    """Of an aggregate whose error only resampling tells."""

    kind: Literal["resampled"] = "resampled"
    stderr: float
    """Standard deviation of the replicates."""
    quantiles: tuple[tuple[float, float], ...]
    """(p, the replicates' p-quantile)."""
    replicates: int
    seed: int
    unit_interval: bool


class PrintedStatistics(Frozen):
    """Of a score that another tool computed: the error that it printed."""

    kind: Literal["printed"] = "printed"
    stderr: float


class RecordedStatistics(Frozen):
    """Of a record of schema minizoo.record/1, which holds what its own rule derived."""

    kind: Literal["recorded"] = "recorded"
    stderr: float | None
    lower: float | None
    upper: float | None
    whole_stderr: float | None = None
    decoding_stderr: float | None = None


LeafStatistics = Annotated[
    MeanStatistics
    | RatioStatistics
    | TransformStatistics
    | ResampledStatistics
    | PrintedStatistics
    | RecordedStatistics,
    Field(discriminator="kind"),
]
"""Of a score of documents."""


class Stratum(Frozen):
    """A part of a group that is always there, such as a subject: its share of the group, and the score of `n` documents."""

    weight: float
    value: float
    n: int
    total: int
    """Documents of the whole part."""
    statistics: LeafStatistics | None


class StrataStatistics(Frozen):
    """Of a weighted mean over strata."""

    kind: Literal["strata"] = "strata"
    strata: tuple[Stratum, ...]
    unit_interval: bool


Statistics = Annotated[
    MeanStatistics
    | RatioStatistics
    | TransformStatistics
    | ResampledStatistics
    | PrintedStatistics
    | RecordedStatistics
    | StrataStatistics,
    Field(discriminator="kind"),
]


class DecodingNoise(Frozen):
    """Of a mean of shares of passed samples: what sampling the answers again would change."""

    spread: float
    """Σ pᵢ(1 − pᵢ) over the problems' shares."""
    samples: int
    """Answers sampled for each problem."""
