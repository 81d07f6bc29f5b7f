"""A tool's figures as statistics: printed ones, sampled ones, rates; and in words what cannot exist and is left out.

A tool prints 0 for a metric that had no samples: the time per output token of one-token answers, the first token where
nothing was streamed. No request takes 0 s and no run has a rate of 0, so a 0 is never a measurement (goodput alone can be 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.metrics.speed_metrics import load_metrics, mean_statistic, percentile_statistic
from harness.records.speed_record import Reason, Statistic
from harness.stats.percentiles import Refused as RefusedPercentile
from harness.stats.percentiles import minimum_samples

MS = 1e-3
AFTER_FIRST = frozenset({"tpot", "itl"})
"""Metrics that an answer of one token does not have."""
ONE_TOKEN = "the answers have at most one token on average, so nothing comes after the first"
NO_SAMPLES = "the file says that it has no samples"
UNCOUNTED = "the file does not say of how many requests it is"


@dataclass
class Figures:
    """The statistics that were found in a file, and what was left out."""

    found: list[Statistic] = field(default_factory=list[Statistic])
    absent: dict[str, str] = field(default_factory=dict[str, str])
    """What was left out → why."""

    def times(self, metric: str, told: Mapping[str, float | None], requests: int | None, scale: float = 1.0) -> None:
        """A tool's printed times of a metric: `p50`, `p99`, `mean` … by name. `scale` brings them to seconds.

        They have no interval, for the samples are not there. A percentile that as many independent samples as there are
        requests cannot state is refused, as it is for minizoo's own. `requests` is None where the file does not count them.
        """
        values = {name: value * scale for name, value in told.items() if value is not None}
        if not values:
            return
        if requests is not None and requests <= 0:
            self.leave_out(metric, ONE_TOKEN if metric in AFTER_FIRST else NO_SAMPLES)
            return
        zeros = [name for name, value in values.items() if not value]
        if zeros:
            self.leave_out(metric, f"the file has 0 for {', '.join(zeros)}, which no request can take")
        self.found += [_printed(metric, name, value, requests) for name, value in values.items() if value]

    def samples(self, metric: str, values: Sequence[float], percents: Sequence[int] = (50, 90, 99)) -> None:
        """The percentiles of samples that the file does hold, with order-statistic intervals; the mean where there are few."""
        if values:
            self.found += [percentile_statistic(metric, values, percent) for percent in percents]
            self.found.append(mean_statistic(metric, values))

    def rate(self, metric: str, value: float | None) -> None:
        """A rate over the whole run: one number, of one sample."""
        if value is None:
            return
        if not value and metric != "goodput":
            self.leave_out(metric, "the file has 0 for it")
            return
        self.found.append(Statistic(metric=metric, statistic="mean", value=value, n=1))

    def leave_out(self, metric: str, why: str) -> None:
        """Say that a metric, or a part of its figures, is not taken; the first reason stands."""
        self.absent.setdefault(metric, why)

    def notes(self) -> list[Reason]:
        """A note for each metric of which something was left out."""
        whole = {metric for metric in self.absent if all(one.metric != metric for one in self.found)}
        return [
            Reason(
                code="figure-absent",
                text=f"{'no' if metric in whole else 'not every'} {load_metrics()[metric].display}: {why}",
            )
            for metric, why in self.absent.items()
        ]


def after_first(requests: int | None, mean_output: float | None) -> int | None:
    """How many requests can have a token after the first, at most: each of them adds one to the tokens beyond one a request."""
    if requests is None or mean_output is None:
        return requests
    return max(0, min(requests, round(requests * (mean_output - 1))))


def requests_failed(failed: int, total: int) -> Reason:
    """The reason that speaks against a run in which requests failed."""
    return Reason(code="requests-failed", text=f"{failed} of {total} requests failed")


def requests_lost(lost: int, total: int, completed: int) -> Reason:
    """The same where the tool counts no failures: what was asked for and is not among the completed."""
    return Reason(
        code="requests-failed",
        text=f"{lost} of {total} requests were lost: {completed} completed, and the file counts no failures",
    )


def contradiction(text: str) -> Reason:
    """The reason that speaks against a file whose counts of requests cannot all be right."""
    return Reason(code="counts-inconsistent", text=text)


def _printed(metric: str, name: str, value: float, requests: int | None) -> Statistic:
    """One printed figure. Of an uncounted run the mean is one number of the run, and percentiles are refused."""
    share = float(name[1:]) / 100 if name[:1] == "p" else None
    if share is None or not 0 < share < 1:
        return Statistic(metric=metric, statistic=name, value=value, n=1 if requests is None else requests)
    if requests is None:
        return Statistic(metric=metric, statistic=name, value=None, n=0, refused=f"{name}: {UNCOUNTED}")
    if requests < (needed := minimum_samples(share)):
        refused = str(RefusedPercentile(share, requests, needed))
        return Statistic(metric=metric, statistic=name, value=None, n=requests, refused=refused)
    return Statistic(metric=metric, statistic=name, value=value, n=requests)
