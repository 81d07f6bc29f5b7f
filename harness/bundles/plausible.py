"""Whether a record that was measured elsewhere can be true: its figures beside its own trials, its steps beside the roofline.

The roofline is worked out anew, from the registry's dimensions and the data sheets of zoo/arch/gpus.yaml. What the record
says of it is not read: whoever alters a time can alter that too.
"""

from __future__ import annotations

import math
from typing import Any

from harness.bundles.beside import beside_contradictions
from harness.bundles.figures import contradictions, measured_samples, rows_of
from harness.metrics.record_loads import gpu_of_record, load_of_record, two_gpus
from harness.metrics.rooflines import Load, Roofline, above_roofline, sheet_roofline
from harness.metrics.speed_metrics import statistics
from harness.records.record import Record
from harness.records.speed_record import Reason, SpeedFacts
from zoo.arch.parameters import Dtype


def doubts(record: Record, trials: Any) -> tuple[Reason, ...]:
    """Why the record cannot be true; nothing where no doubt shows. `trials` is the Arrow table beside it, None for none.

    `figures-differ`: it contradicts its trials, or itself. `above-roofline`: a median or a mean is better than its GPU's data
    sheet allows, or ten times better than the rates that its own machine reached. What could not be checked: `unchecked`.
    """
    if record.beside is not None:
        return tuple(_differs(text) for text in beside_contradictions(record.beside))
    return _doubts_of_speed(record, record.speed, trials) if record.speed is not None else ()


def unchecked(record: Record) -> str | None:
    """Why a record's figures could not be held against a data sheet; None where they were, or there are none."""
    if record.beside is not None:
        return (
            "the seconds of scoring are not held against a roofline: a record does not tell how many tokens were scored"
        )
    if record.speed is None or not record.speed.statistics:
        return None
    load = load_of_record(record, record.speed)
    if isinstance(load, str):
        return f"not held against a roofline: {load}"
    no_sheet = _roofline(record, record.speed, load.dtype)[1]
    if no_sheet is None and load.batch is None:
        return "the rates of an open loop are not held against a roofline: its batch changes from step to step"
    return no_sheet


def _doubts_of_speed(record: Record, speed: SpeedFacts, trials: Any) -> tuple[Reason, ...]:
    rows = [] if trials is None else rows_of(trials)
    if rows is None:
        return (_differs("its trials are no table of requests and their times"),)
    samples = measured_samples(rows, speed.slo)
    found = [_differs(text) for text in contradictions(record, speed, rows, samples)]
    if other := two_gpus(record, speed):
        found.append(_differs(other))
    load = load_of_record(record, speed)
    roofline = None if isinstance(load, str) else _roofline(record, speed, load.dtype)[0]
    if isinstance(load, Load) and roofline is not None:
        told = above_roofline((*statistics(samples), *speed.statistics), load, roofline)
        found += [Reason(code="above-roofline", text=text) for text in dict.fromkeys(told)]
    return tuple(found)


def _differs(text: str) -> Reason:
    return Reason(code="figures-differ", text=text)


def _roofline(record: Record, speed: SpeedFacts, dtype: Dtype) -> tuple[Roofline | None, str | None]:
    """What bounds the steps, and why that is no data sheet; None where it is one."""
    gpu = gpu_of_record(record, speed)
    if gpu is not None:
        return sheet_roofline(gpu, dtype), None
    what = f"GPU ({record.setting.gpu})" if record.setting.device.startswith("cuda") else "processor"
    for told in speed.achieved:
        rates = told.bytes_per_s, told.flops_per_s or 1.0
        if told.against == "measured" and all(math.isfinite(rate) and rate > 0 for rate in rates):
            own = Roofline("measured", "ten times what its machine reached", "", told.bytes_per_s, told.flops_per_s)
            return (
                own,
                f"no data sheet of its {what} is held: only beside the rates that its machine reached by its own word",
            )
    return None, f"not held against a roofline: no data sheet of its {what} is held, and it states no rates of its own"
