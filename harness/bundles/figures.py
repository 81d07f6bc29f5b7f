"""Where a speed record from elsewhere contradicts its own trials, or itself. Nothing is corrected here: it is told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.metrics.speed_metrics import TRIAL_COLUMNS, load_metrics, samples_of, statistics, trial_schema
from harness.metrics.trial_facts import TrialFacts, facts_of
from harness.records.record import Record
from harness.records.speed_record import SpeedComparison, SpeedFacts, Statistic
from harness.stats.ratio import FEWEST

NULLABLE = ("start_s", "energy_window", "window_j")
"""Columns of trials.parquet that may hold nothing."""
Samples = Mapping[str, Sequence[float]]


def rows_of(trials: Any) -> list[dict[str, Any]] | None:
    """The rows of an Arrow table of trials; None for one that is no such table, or has cells that no trial leaves."""
    import pyarrow as pa

    try:
        rows: list[dict[str, Any]] = trials.select(list(TRIAL_COLUMNS)).cast(trial_schema()).to_pylist()
    except (KeyError, pa.ArrowException):
        return None
    return rows if all(map(_is_sound, rows)) else None


def contradictions(
    record: Record, speed: SpeedFacts, rows: Sequence[Mapping[str, Any]], samples: Samples
) -> Iterator[str]:
    """A sentence for each. `samples` are those that the rows give."""
    facts = facts_of(rows)
    yield from _name(record, speed)
    yield from _circumstances(speed, facts)
    yield from _statistics(speed, samples)
    for comparison in speed.comparisons:
        yield from _comparison(comparison, speed, samples)
    yield from _verdict(speed, facts)


def measured_samples(rows: Sequence[Mapping[str, Any]], slo: Mapping[str, float]) -> Samples:
    """Each metric's samples, from the rows that count."""
    return samples_of([row for row in rows if row["phase"] == "trial"], slo)


def _is_sound(row: Mapping[str, Any]) -> bool:
    told = [value for name, value in row.items() if value is not None or name not in NULLABLE]
    numbers = [number for value in told for number in (value if isinstance(value, list) else [value])]
    return row["phase"] in ("warmup", "trial") and all(
        isinstance(number, str) or (number is not None and math.isfinite(number)) for number in numbers
    )


def _name(record: Record, speed: SpeedFacts) -> Iterator[str]:
    """A point's name tells its lengths and its batch or rate: see `harness.speed.workloads.workload.Point`."""
    how = f"r{speed.rate:g}" if speed.batch is None and speed.rate is not None else f"b{speed.batch}"
    point = f"{speed.input_tokens}x{speed.output_tokens}.{how}"
    if (speed.point, record.task) != (point, f"{speed.workload}.{point}"):
        yield f"it is called {speed.point} ({record.task}), and by its lengths and batch is {point}"
    if (speed.batch is None) == (speed.rate is None):
        yield "a point has either a batch or a rate"


def _circumstances(speed: SpeedFacts, facts: TrialFacts) -> Iterator[str]:
    stated: dict[str, tuple[Any, Any]] = {"trials": (speed.trials, facts.trials)}
    if facts.trials:
        stated["input tokens"] = speed.input_tokens, _one(facts.input_tokens)
        stated["output tokens"] = speed.output_tokens, _one(facts.output_tokens)
    if facts.trials and speed.rate is None:
        stated["requests of a trial"] = speed.batch, _one(facts.batches)
    for what, (said, found) in stated.items():
        if said != found:
            yield f"{what}: {_shown(said)} in the record, {_shown(found)} by its trials"
    if speed.rate is not None and facts.trials > 1:
        yield f"arrivals at a rate are one trial, and it has {facts.trials}"
    if not _same(speed.seconds, facts.seconds):
        yield f"seconds: {speed.seconds:.6g} in the record, {facts.seconds:.6g} by its trials"
    if len(speed.warmup_s) != len(facts.warmup_s) or not all(map(_same, speed.warmup_s, facts.warmup_s)):
        yield "the seconds of its warm-up are not those of its trials"


def _statistics(speed: SpeedFacts, samples: Samples) -> Iterator[str]:
    derived = {(found.metric, found.statistic): found for found in statistics(samples)}
    wrong = [
        (stated, found)
        for stated in speed.statistics
        if not _agrees(stated, found := derived.get((stated.metric, stated.statistic)))
    ]
    if wrong:
        stated, found = wrong[0]
        given = "nothing" if found is None else f"{_shown(found.value)} (n = {found.n})"
        yield (
            f"{len(wrong)} of {len(speed.statistics)} figures are not what its trials give, first {stated.metric} "
            f"{stated.statistic}: {_shown(stated.value)} (n = {stated.n}) in the record, {given} by its trials"
        )


def _agrees(stated: Statistic, found: Statistic | None) -> bool:
    """Whether a stated figure is the derived one. One that is refused states nothing but its number of samples."""
    if found is None or stated.n != found.n:
        return False
    return stated.value is None or (found.value is not None and _same(stated.value, found.value))


def _comparison(comparison: SpeedComparison, speed: SpeedFacts, samples: Samples) -> Iterator[str]:
    """What one side's trials can tell of a ratio."""
    what = f"the ratio of {comparison.metric} over {comparison.against} ({comparison.mode})"
    if comparison.metric not in load_metrics():
        yield f"{what} is of no metric"
        return
    if not (math.isfinite(comparison.ratio) and comparison.ratio > 0):
        yield f"{what} is {comparison.ratio:g}"
    if comparison.n != (found := len(samples[comparison.metric])):
        yield f"{what} is of {comparison.n} trials, and there are {found}"
    if min(comparison.n, comparison.against_n) < FEWEST:
        yield f"{what} is of {comparison.n} and {comparison.against_n} trials, and {FEWEST} of each are needed"
    if comparison.batch != speed.batch:
        yield f"{what} is at batch {comparison.batch}, and the point at {_shown(speed.batch)}"
    if comparison.mode == "equal batch" and comparison.batch != comparison.against_batch:
        yield f"{what} is at batch {comparison.batch} against {comparison.against_batch}"
    if comparison.valid and not speed.validity.valid:
        yield f"{what} is called valid, and the point is not"


def _verdict(speed: SpeedFacts, facts: TrialFacts) -> Iterator[str]:
    if not speed.validity.valid:
        return
    if speed.validity.reasons:
        yield "it is called valid, and states reasons against it"
    if not facts.trials:
        yield "it is called valid, and has no trials"
    if not facts.whole:
        yield "it is called valid, and requests of its trials ended before their length"
    if not facts.rising:
        yield "it is called valid, and times of its trials do not rise"


def _same(stated: float, found: float) -> bool:
    """Equal but for how sums are rounded."""
    return math.isclose(stated, found, rel_tol=1e-9, abs_tol=1e-12)


def _one(values: frozenset[int]) -> Any:
    return next(iter(values)) if len(values) == 1 else sorted(values)


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else f"{value}"
