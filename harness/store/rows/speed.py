"""A speed record's rows. Percentiles and ratios are derived from the trials, where the record has any beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.metrics.record_loads import gpu_of_record, load_of_record
from harness.metrics.rooflines import beside_rooflines, measured_steps, sheet_roofline
from harness.metrics.speed_metrics import load_metrics, statistics
from harness.metrics.trial_facts import TrialFacts
from harness.records.record import Record
from harness.records.speed_record import Achieved, SpeedFacts, Statistic
from harness.stats import constants
from harness.stats.derive import RECORDED_RULE
from harness.stats.ratio import RESAMPLES, speed_ratio
from harness.store.rows.tables import TABLES

OBJECTIVES = ("ttft", "tpot", "e2e")
INTERVAL = ("lower", "upper", "p_value", "resamples")
"""What is derived of a ratio, beside its value."""
Samples = Mapping[str, Sequence[float]]
"""Each metric's samples of one point, in rising order."""


def point_row(record: Record, speed: SpeedFacts) -> dict[str, Any]:
    """The row of `speed_points`: what was run, and whether its figures can be trusted."""
    validity = speed.validity
    return {
        **_key(record),
        **speed.model_dump(include=set(TABLES["speed_points"])),
        "valid": validity.valid,
        "reasons": "; ".join(reason.text for reason in validity.reasons) or None,
        "reason_codes": "; ".join(reason.code for reason in validity.reasons) or None,
        "notes": "; ".join(note.text for note in validity.notes) or None,
        "note_codes": "; ".join(note.code for note in validity.notes) or None,
        **{f"{name}_limit": speed.slo.get(name) for name in OBJECTIVES},
        **{f"peak_{name}": value for name, value in speed.memory.model_dump().items()},
    }


def limit_rows(
    record: Record, speed: SpeedFacts, samples: Samples | None, facts: TrialFacts | None
) -> list[dict[str, Any]]:
    """The rows of `speed_limits`: how near each step came to the roofline.

    Of a contributed record they are worked out anew from its trials, by the registry's dimensions and the data sheets: what
    it states of rooflines is not shown.
    """
    achieved = _derived_steps(record, speed, samples, facts) if record.source == "contributed" else speed.achieved
    wanted = set(TABLES["speed_limits"])
    return [_key(record) | step.model_dump(include=wanted) for step in achieved]


def statistic_rows(record: Record, speed: SpeedFacts, samples: Samples | None) -> list[dict[str, Any]]:
    """The rows of `speed_statistics`: derived from each metric's samples, else as the record or another tool states them."""
    stated: Sequence[Statistic] = speed.statistics if samples is None else statistics(samples)
    rule = RECORDED_RULE if samples is None and record.source != "imported" else constants.RULE_VERSION
    return [_key(record) | statistic.model_dump() | {"rule": rule} for statistic in stated]


def comparison_rows(record: Record, speed: SpeedFacts) -> list[dict[str, Any]]:
    """The rows of `speed_comparisons` as recorded; `derived_ratio` follows once the trials of both runs are in.

    A contributed record's word is not taken for an interval.
    """
    wanted = set(TABLES["speed_comparisons"])
    untold = dict.fromkeys(INTERVAL) if record.source == "contributed" else {}
    rows = [_key(record) | compared.model_dump(include=wanted) | untold for compared in speed.comparisons]
    return [row | {"rule": None if row["lower"] is None else RECORDED_RULE} for row in rows]


def derived_ratio(
    comparison: Mapping[str, Any], ours: Sequence[float], theirs: Sequence[float]
) -> dict[str, Any] | None:
    """A comparison's figures by the present rule; None for trials that give no ratio. Samples are in rising order."""
    better = load_metrics()[comparison["metric"]].higher_is_better
    try:
        ratio = speed_ratio(ours, theirs, better, comparison["seed"])
    except ValueError:
        return None
    return {
        "ratio": ratio.value, "lower": ratio.lower, "upper": ratio.upper, "p_value": ratio.p_value, "n": ratio.n,
        "against_n": ratio.against_n, "resamples": RESAMPLES, "rule": constants.RULE_VERSION,
    }  # fmt: skip


def _derived_steps(
    record: Record, speed: SpeedFacts, samples: Samples | None, facts: TrialFacts | None
) -> Sequence[Achieved]:
    load, gpu = load_of_record(record, speed), gpu_of_record(record, speed)
    if samples is None or facts is None or gpu is None or isinstance(load, str):
        return ()
    return beside_rooflines(load, measured_steps(statistics(samples), facts), (sheet_roofline(gpu, load.dtype),))


def _key(record: Record) -> dict[str, Any]:
    return {"run_id": record.run_id, "task": record.task}
