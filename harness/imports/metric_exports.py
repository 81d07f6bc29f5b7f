"""What AIPerf and GenAI-Perf write of a metric: a unit, a mean and percentiles, under the metric's name.

`inter_token_latency` of both is (latency − TTFT) / (output tokens − 1) a request: minizoo's `tpot`. AIPerf's
`inter_chunk_latency` pools the gaps of all requests: minizoo's `itl`, stated with as many independent samples as requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from harness.imports.drafts import Number, Part, Unusable, Whole
from harness.imports.figures import MS, NO_SAMPLES, Figures, after_first

TIMES = {
    "time_to_first_token": "ttft",
    "inter_token_latency": "tpot",
    "inter_chunk_latency": "itl",
    "request_latency": "e2e",
}
RATES = {
    "output_token_throughput": "output_rate",
    "total_token_throughput": "total_rate",
    "request_throughput": "request_rate",
    "goodput": "goodput",
    "request_goodput": "goodput",
}
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": MS, "sec": 1.0, "s": 1.0}
PER_SECOND = {"tokens/sec", "requests/sec"}


class Exported(Part):
    """One metric of an export."""

    unit: str
    avg: Number | None = None
    p50: Number | None = None
    p90: Number | None = None
    p95: Number | None = None
    p99: Number | None = None
    count: Whole | None = None


EXPORTS = TypeAdapter(dict[str, Exported])
"""Checks a metric under its name, so that a refusal names it."""


def take_times(
    figures: Figures, document: Mapping[str, Any], requests: int | None, mean_output: float | None,
    names: Mapping[str, str] = TIMES,
) -> None:  # fmt: skip
    """The times of a document. `names` gives minizoo's metric to the tool's; `requests` is None where nobody counted them."""
    for theirs, ours in names.items():
        if document.get(theirs) is None:
            continue
        exported = EXPORTS.validate_python({theirs: document[theirs]})[theirs]
        if exported.count == 0:
            figures.leave_out(ours, NO_SAMPLES)
            continue
        at_most = after_first(requests, mean_output) if ours in {"tpot", "itl"} else requests
        told = exported.model_dump(include={"p50", "p90", "p95", "p99"}) | {"mean": exported.avg}
        counted = at_most if exported.count is None or at_most is None else min(exported.count, at_most)
        figures.times(ours, told, counted, in_unit(theirs, exported.unit, SECONDS))


def take_rates(figures: Figures, document: Mapping[str, Any], units: bool = True) -> None:
    """The rates of a document; without `units` where a release wrote wrong ones, and the metric's name alone tells."""
    for theirs, ours in RATES.items():
        if document.get(theirs) is not None:
            exported = EXPORTS.validate_python({theirs: document[theirs]})[theirs]
            if units:
                in_unit(theirs, exported.unit, dict.fromkeys(PER_SECOND, 1.0))
            figures.rate(ours, exported.avg)


def in_unit(metric: str, unit: str, known: Mapping[str, float]) -> float:
    """What brings a unit to minizoo's; Unusable for an unknown one."""
    if unit not in known:
        raise Unusable(f"{metric} is in '{unit:.40}', not in {' or '.join(known)}", "minizoo does not guess at units.")
    return known[unit]


def whole(metric: str, exported: Exported | None) -> int | None:
    """A count of an export; Unusable where it is no whole number."""
    if exported is None or exported.avg is None:
        return None
    if exported.avg != int(exported.avg):
        raise Unusable(
            f"{metric} is {exported.avg!r:.40}, which is no whole number", "Measure again, or repair the file."
        )
    return int(exported.avg)


def mean(exported: Exported | None) -> float | None:
    """A metric's mean, in its own unit; None where it is not there."""
    return None if exported is None else exported.avg
