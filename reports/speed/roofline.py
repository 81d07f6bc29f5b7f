"""How near contributed rows came to their data sheet's roofline: worked out here, as what they say of it proves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.metrics.record_loads import gpu_of_record, load_of_record
from harness.records.record import Record
from zoo.arch.roofline import least_time


def with_roofline(points: Sequence[Mapping[str, Any]], figures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points without `record`, which contributed ones have as JSON: it and their ITL give their percentage."""
    steps = {
        (figure["run_id"], figure["task"]): figure["value"]
        for figure in sorted(figures, key=lambda figure: figure["statistic"] == "p50")
        if figure["metric"] == "itl" and figure["value"]
    }
    found: list[dict[str, Any]] = []
    for point in points:
        rest = {name: value for name, value in point.items() if name != "record"}
        if point["record"] is not None:
            record = Record.model_validate_json(point["record"])
            rest |= decode_roofline(record, steps.get((point["run_id"], point["task"])))
        found.append(rest)
    return found


def decode_roofline(record: Record, seconds: float | None) -> dict[str, Any]:
    """`roofline_percent` of a decode step of so many seconds, and `bound_by`; nothing in both where no data sheet is held."""
    nothing = {"roofline_percent": None, "bound_by": None}
    if record.speed is None or not seconds:
        return nothing
    load, gpu = load_of_record(record, record.speed), gpu_of_record(record, record.speed)
    if isinstance(load, str) or load.batch is None or gpu is None:
        return nothing
    least = least_time(load.decode(), gpu.bytes_per_s, gpu.flops_per_s(load.dtype))
    return {"roofline_percent": 100 * least.seconds / seconds, "bound_by": least.bound_by}
