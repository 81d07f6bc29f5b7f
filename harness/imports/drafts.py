"""What a reader makes of another tool's result, before it becomes a record; and how printed figures become statistics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from harness.metrics.speed_metrics import mean_statistic, percentile_statistic
from harness.records.record import MetricScore
from harness.records.speed_record import Reason, SpeedFacts, Statistic, Validity
from harness.stats.percentiles import Refused as RefusedPercentile
from harness.stats.percentiles import minimum_samples

UNKNOWN = "unknown"
LONGEST_TEXT = 300
MOST_FACTS = 300
MS = 1e-3

CLIENT_SIDE = Reason(
    code="client-side-times", text="times were taken at the client, with its own overhead and the network's"
)
LARGEST = 10**15
"""Of any count, time or rate: 30 million years in seconds, and far inside what the database can hold."""

Number = Annotated[float, Field(strict=True, ge=0, le=LARGEST, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]


class Part(BaseModel):
    """A part of another tool's document: what is read of it is checked, what else it holds is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Unusable(Exception):
    """The document is of a known tool, and still cannot be taken; the message says why, the second argument what to do."""


@dataclass(frozen=True)
class Given:
    """What the user says of the files, because the tools do not write it, or not as minizoo names it."""

    model: str | None = None
    gpu: str | None = None
    dtype: str | None = None
    batch: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    direction: Callable[[str], bool | None] = field(default=lambda _: None)
    """Whether more of a metric is better where a file of lm-eval is silent: lm-eval's own table, never read in this room."""

    def lengths(
        self, mean_input: float | None = None, mean_output: float | None = None
    ) -> tuple[int | None, int | None]:
        """Input and output tokens of every request: as the user says, else the means of the file, rounded."""
        told = ((self.input_tokens, mean_input), (self.output_tokens, mean_output))
        given = [own if own is not None or mean is None else round(mean) for own, mean in told]
        return given[0], given[1]


@dataclass(frozen=True)
class Draft:
    """One task or one point of a workload, as the file tells it. None is what the file does not tell."""

    tool: str
    task: str
    suite: str
    model: str | None
    backend: str
    version: str | None = None
    finished: datetime | None = None
    started: datetime | None = None
    device: str | None = None
    dtype: str | None = None
    gpu: str | None = None
    driver: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    revision: str | None = None
    seed: int | None = None
    task_version: str = ""
    shots: int | None = None
    limit: int | None = None
    members: tuple[str, ...] = ()
    scores: tuple[MetricScore, ...] = ()
    speed: SpeedFacts | None = None
    rest: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the file says, dotted names to plain values."""


def printed(metric: str, figures: Mapping[str, float | None], n: int, scale: float = 1.0) -> list[Statistic]:
    """A tool's printed figures of a metric: `p50`, `p99`, `mean` … by name. `scale` brings them to the metric's unit.

    They have no interval, for the samples are not there. A percentile that `n` independent samples cannot state is refused,
    as it is for minizoo's own.
    """
    return [_one(metric, name, value * scale, n) for name, value in figures.items() if value is not None]


def sampled(metric: str, values: Sequence[float], percents: Sequence[int] = (50, 90, 99)) -> list[Statistic]:
    """The percentiles of samples that the file does hold, with order-statistic intervals; the mean where there are few."""
    if not values:
        return []
    found = [percentile_statistic(metric, values, percent) for percent in percents]
    return [*found, mean_statistic(metric, values)]


def rate(metric: str, value: float | None) -> list[Statistic]:
    """A rate over the whole run: one number, of one sample."""
    return [] if value is None else [Statistic(metric=metric, statistic="mean", value=value, n=1)]


def point(
    tool: str, workload: str, lengths: tuple[int | None, int | None], how: str, figures: Sequence[Statistic], seconds: float,
    reasons: Sequence[Reason] = (), notes: Sequence[Reason] = (), batch: int | None = None, arriving: float | None = None,
    room: int | None = None, trials: int = 1,
) -> SpeedFacts:  # fmt: skip
    """The facts of an imported point, named as minizoo's own are (`128x128.b8`; `any` for a length that is not told).

    It is never valid, for what makes a measurement invalid was not watched; `reasons` are what else speaks against it.
    """
    told = f"imported from {tool}: clocks, throttling, other processes and warm-up were not watched by minizoo"
    unwatched = Reason(code="not-watched", text=told)
    return SpeedFacts(
        workload=workload,
        point="x".join("any" if length is None else str(length) for length in lengths) + f".{how}",
        input_tokens=lengths[0],
        output_tokens=lengths[1],
        batch=batch,
        rate=arriving,
        room=room,
        weights="unknown",
        validity=Validity(valid=False, reasons=(unwatched, *reasons), notes=tuple(notes)),
        trials=trials,
        seconds=seconds,
        statistics=tuple(figures),
    )


def requests_failed(failed: int, total: int) -> Reason:
    """The reason that speaks against a run in which requests failed."""
    return Reason(code="requests-failed", text=f"{failed} of {total} requests failed")


def scalars(document: Mapping[str, Any], leave_out: Sequence[str] = ()) -> dict[str, Any]:
    """Every plain value of a document under its dotted name: numbers, truths and short texts, no lists."""
    found: dict[str, Any] = {}
    for name, value in _leaves(document, "", leave_out):
        if len(found) == MOST_FACTS:
            break
        found[plain(name)] = plain(value) if isinstance(value, str) else value
    return found


def plain(value: str) -> str:
    """Cut to a length for people, half a surrogate pair replaced: no file could be written with it."""
    return value[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")


def moment(text: str, form: str | None = None) -> datetime | None:
    """The time that a text states, taken as UTC where it names no zone; None where it is no time."""
    try:
        found = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _one(metric: str, name: str, value: float, n: int) -> Statistic:
    share = float(name[1:]) / 100 if name[:1] == "p" else None
    if share is not None and 0 < share < 1 and n < (needed := minimum_samples(share)):
        return Statistic(
            metric=metric, statistic=name, value=None, n=n, refused=str(RefusedPercentile(share, n, needed))
        )
    return Statistic(metric=metric, statistic=name, value=value, n=n)


def _leaves(document: Mapping[str, Any], above: str, leave_out: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        name = f"{above}{key}"
        if name in leave_out:
            continue
        if isinstance(value, dict) and name.count(".") < 4:
            yield from _leaves(value, f"{name}.", leave_out)
        elif isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
            yield name, value
