"""Measured points, a line each, under the GPU or processor that they ran on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.records.record import precision
from reports.cells import ABSENT, count, interval, moment, number, size, text
from reports.speed.origin import hardware, who

MEDIAN, MEAN = "p50", "mean"
TOLD_ELSEWHERE = {"random-weights", "percentiles-refused"}
"""Notes that a column says already: the weights, and a mean in a median's place."""

COLUMNS = (
    ("Model", False),
    ("Workload", False),
    ("Batch", True),
    ("Weights", False),
    ("Output tokens/s", True),
    ("ITL ms", True),
    ("TTFT ms", True),
    ("J/token", True),
    ("% of roofline", True),
    ("Peak memory", True),
    ("Validity", False),
    ("Who, when (UTC)", False),
)
"""A heading, and whether it stands over numbers."""


@dataclass(frozen=True)
class Figure:
    """A number, and in small what it must be read with: its interval, or what it is."""

    value: str = ABSENT
    note: str = ""


@dataclass(frozen=True)
class PointLine:
    """A point of a workload, as text."""

    run: str
    model: str
    workload: str
    batch: str
    dtype: str
    weights: str
    numbers: tuple[Figure, ...]
    """In the order of COLUMNS, from the output rate to the peak memory."""
    valid: bool
    verdict: str
    reasons: str
    finished: str
    finished_iso: str
    who: str


@dataclass(frozen=True)
class Hardware:
    """What points ran on, by its product name, and their lines."""

    name: str
    lines: tuple[PointLine, ...]


Key = tuple[str, str]
Figures = Mapping[tuple[str, str], Mapping[str, Any]]


def by_hardware(points: Sequence[Mapping[str, Any]], figures: Sequence[Mapping[str, Any]]) -> tuple[Hardware, ...]:
    """Points under their hardware, GPUs before processors; in each by model, workload, tokens and batch.

    Those that are alike stay in the order in which they come.
    """
    found: dict[Key, dict[tuple[str, str], Mapping[str, Any]]] = defaultdict(dict)
    for row in figures:
        found[_key(row)][text(row["metric"]), text(row["statistic"])] = row
    groups: dict[tuple[bool, str], list[PointLine]] = defaultdict(list)
    for point in sorted(points, key=_order):
        groups[not point["gpu"], hardware(point)].append(_line(point, found[_key(point)]))
    return tuple(Hardware(name, tuple(lines)) for (_, name), lines in sorted(groups.items()))


def _order(point: Mapping[str, Any]) -> tuple[Any, ...]:
    sizes = (point["input_tokens"], point["output_tokens"], point["batch"], point["rate"])
    named = (text(point[column]) for column in ("dtype", "compute_dtype", "weights"))
    return (text(point["model"]), text(point["workload"]), *(size or 0 for size in sizes), *named)


def _line(point: Mapping[str, Any], figures: Figures) -> PointLine:
    valid = bool(point["valid"]) and point["status"] == "ok"
    return PointLine(
        run=text(point["run_id"]),
        model=text(point["model"]),
        workload=_workload(point),
        batch=_batch(point),
        dtype=precision(text(point["dtype"]), point["compute_dtype"]),
        weights=text(point["weights"]),
        numbers=(
            _figure(figures, "output_rate", 1),
            _figure(figures, "itl", 1e3),
            _figure(figures, "ttft", 1e3),
            _figure(figures, "joules_per_token", 1),
            _roofline(point),
            _memory(point),
        ),
        valid=valid,
        verdict="valid" if valid else "invalid" if point["status"] == "ok" else "failed",
        reasons=_reasons(point, valid),
        finished=moment(point["finished_at"]),
        finished_iso=moment(point["finished_at"], "%Y-%m-%dT%H:%M:%SZ"),
        who=who(point),
    )


def _figure(figures: Figures, metric: str, scale: float) -> Figure:
    """The median with its interval, else the mean with the number of samples that were too few for one."""
    median, mean = figures.get((metric, MEDIAN)), figures.get((metric, MEAN))
    if median is not None and median["value"] is not None:
        ends = (None if median[end] is None else scale * median[end] for end in ("lower", "upper"))
        return Figure(number(scale * median["value"]), interval(*ends))
    if mean is not None and mean["value"] is not None:
        return Figure(number(scale * mean["value"]), f"mean of {mean['n']:,}" if mean["n"] else "mean")
    return Figure()


def _roofline(point: Mapping[str, Any]) -> Figure:
    percent = point["roofline_percent"]
    return Figure() if percent is None else Figure(f"{percent:.1f}", f"{text(point['bound_by'])}-bound")


def _memory(point: Mapping[str, Any]) -> Figure:
    """The engine's own count where it keeps one; else what the device or the process held, which is more than the model."""
    for column, note in (("peak_allocator", ""), ("peak_device", "whole device"), ("peak_resident", "process")):
        if point[column]:
            return Figure(size(point[column]), note)
    return Figure()


def _workload(point: Mapping[str, Any]) -> str:
    tokens = (point["input_tokens"], point["output_tokens"])
    told = text(point["point"]) if None in tokens else " → ".join(f"{number_of:,}" for number_of in tokens)
    return f"{text(point['workload'])}, {told}"


def _batch(point: Mapping[str, Any]) -> str:
    if point["batch"] is not None:
        return count(point["batch"])
    return ABSENT if point["rate"] is None else f"{point['rate']:g} requests/s"


def _reasons(point: Mapping[str, Any], valid: bool) -> str:
    """Why it is not valid, in sentences; what a valid one must be read with, in codes."""
    if not valid:
        return text(point["reasons"]) or text(point["reason"])
    codes = text(point["note_codes"]).split("; ")
    return ", ".join(code for code in codes if code and code not in TOLD_ELSEWHERE)


def _key(row: Mapping[str, Any]) -> Key:
    return text(row["run_id"]), text(row["task"])
