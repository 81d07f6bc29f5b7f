"""Whether a measurement can be trusted: two tables of checks, by code, each of which gives reasons against it, or notes.

Clock event bits: NVML's nvmlClocksEventReasons. A software power cap is how an A100 or H100 works under load and only
annotates; a hardware slow-down, a thermal one and a power brake mean that another day gives another figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.metrics.trial_facts import is_whole, rises
from harness.records.speed_record import Reason, Validity
from harness.speed.probes.busy import OTHERS_BUSY, mean_busy, tells_of_others
from harness.speed.probes.probe import Sample
from harness.speed.trials.early_end import EarlyEnd

SW_POWER_CAP = 0x04
INVALIDATING = {
    0x08: "hardware slow-down",
    0x20: "software thermal slow-down",
    0x40: "hardware thermal slow-down",
    0x80: "power brake",
}
CLOCK_DRIFT = 0.1
"""Share by which the SM clock may fall between the first and the last fifth of the samples."""
SETTINGS = ("power_limit_w", "max_sm_mhz", "mig", "ecc", "processors")
"""Facts of the machine that must not change while something is measured."""
LATE = 0.05
"""Share by which an open loop's requests may take longer to be served than to arrive, before the rate counts as too high."""


@dataclass(frozen=True)
class Evidence:
    """What a verdict is reached on. `samples` are those between the first and the last measured trial."""

    device: str
    rows: Sequence[Mapping[str, Any]]
    """Of measured trials, see TRIAL_COLUMNS."""
    settled: bool
    warmups: int
    samples: Sequence[Sample]
    facts: Mapping[str, Any]
    """What the machine said of itself before the measurement."""
    facts_after: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lost: str | None = None
    rate: float | None = None
    weights: str = "real"
    how: str = ""
    """How the backend runs the model, in its words; `plain` where it decodes each sequence alone."""
    decode: str = ""
    """How it decodes, in its words; `fallback: …` where it could not do so as it should."""
    refused: Sequence[tuple[str, str]] = ()
    """Metrics and why a percentile of theirs is refused."""
    above_roofline: Sequence[str] = ()
    """In words, the figures that the GPU's data sheet does not allow (`harness.metrics.rooflines`)."""
    ended: EarlyEnd | None = None
    """Why it ended before its trials were enough."""
    trials: int = 0
    least_trials: int = 0


def judge(evidence: Evidence) -> Validity:
    """The verdict: valid, or every reason why not; and the notes."""
    reasons, notes = (
        tuple(Reason(code=code, text=text) for code, check in table.items() for text in check(evidence))
        for table in (CHECKS, ANNOTATIONS)
    )
    return Validity(valid=not reasons, reasons=reasons, notes=notes)


def clock_events(samples: Sequence[Sample]) -> int:
    """All clock event bits that were seen."""
    bits = 0
    for sample in samples:
        bits |= int(sample.get("clock_events") or 0)
    return bits


def _nothing_measured(e: Evidence) -> list[str]:
    return [] if e.rows else ["nothing was measured"]


def _output_short(e: Evidence) -> list[str]:
    missed = [row for row in e.rows if not is_whole(row)]
    if not missed:
        return []
    first = missed[0]
    return [
        f"output length not reached: {len(missed)} of {len(e.rows)} requests, the first with {len(first['token_s'])} of "
        f"{first['wanted_tokens']} tokens"
    ]


def _clock_backwards(e: Evidence) -> list[str]:
    return [] if all(map(rises, e.rows)) else ["the clock went backwards"]


def _clock_stopped(e: Evidence) -> list[str]:
    still = any(row["token_s"] and row["token_s"][-1] == row["submit_s"] for row in e.rows)
    return ["the clock stood still"] if still and all(map(rises, e.rows)) else []


def _above_roofline(e: Evidence) -> list[str]:
    return list(e.above_roofline)


def _warmup_unsettled(e: Evidence) -> list[str]:
    before_its_end = e.ended is not None and not e.rows
    return [] if e.settled or before_its_end else [f"the warm-up had not settled after {e.warmups} trials"]


def _clocks_throttled(e: Evidence) -> list[str]:
    seen = clock_events(e.samples)
    return [f"clocks were held down: {name}" for bit, name in INVALIDATING.items() if seen & bit]


def _other_gpu_processes(e: Evidence) -> list[str]:
    others = max((int(s.get("other_processes") or 0) for s in e.samples), default=0)
    return [f"{others} other process{'es' if others > 1 else ''} on the GPU"] if others else []


def _machine_busy(e: Evidence) -> list[str]:
    mean = mean_busy(e.samples)
    if mean > OTHERS_BUSY:
        return [f"other processes kept {mean:.2f} of {e.facts.get('processors', '?')} processors busy"]
    return [e.ended.text] if e.ended and e.ended.code == "machine-busy" and not _other_gpu_processes(e) else []


def _time_limit(e: Evidence) -> list[str]:
    if e.ended is None or e.ended.code != "time-limit":
        return []
    return [f"the time limit ended it after {e.trials} of at least {e.least_trials} trials"]


def _memory_errors(e: Evidence) -> list[str]:
    counts = [int(value) for s in e.samples if (value := s.get("ecc_uncorrected")) is not None]
    return ["uncorrected memory errors occurred"] if counts and max(counts) > counts[0] else []


def _clock_drift(e: Evidence) -> list[str]:
    told = [float(value) for s in e.samples if (value := s.get("sm_mhz")) is not None]
    fifth = max(1, len(told) // 5)
    if len(told) < 5 or clock_events(e.samples) & SW_POWER_CAP:
        return []
    first, last = sum(told[:fifth]) / fifth, sum(told[-fifth:]) / fifth
    return [f"the clock fell from {first:.0f} to {last:.0f} MHz"] if last < first * (1 - CLOCK_DRIFT) else []


def _settings_changed(e: Evidence) -> list[str]:
    moved = [name for name, now in e.facts_after.items() if name in SETTINGS and now != e.facts.get(name)]
    return [f"{name} changed from {e.facts.get(name)} to {e.facts_after[name]} meanwhile" for name in moved]


def _no_telemetry(e: Evidence) -> list[str]:
    if "telemetry" in e.facts:
        return [f"no telemetry ({e.facts['telemetry']}): throttling and other processes cannot be ruled out"]
    if not e.device.startswith("cuda"):
        return []
    if not any(s.get("clock_events") is not None for s in e.samples):
        return ["the GPU does not tell its clock events: throttling cannot be ruled out"]
    return []


def _device_lost(e: Evidence) -> list[str]:
    return [f"the device stopped answering ({e.lost})"] if e.lost else []


def _power_capped(e: Evidence) -> list[str]:
    return ["power-capped: the clock was set by the power limit"] if clock_events(e.samples) & SW_POWER_CAP else []


def _random_weights(e: Evidence) -> list[str]:
    if e.weights != "random":
        return []
    return ["random weights: values change power and, at the power limit, clocks; no energy is taken from them"]


def _no_process_telemetry(e: Evidence) -> list[str]:
    if "telemetry" in e.facts or any(map(tells_of_others, e.samples)):
        return []
    return ["this system does not tell what other processes did: they cannot be ruled out"]


def _mig_enabled(e: Evidence) -> list[str]:
    return ["MIG is on: power and energy are the whole GPU's and are not taken"] if e.facts.get("mig") else []


def _persistence_off(e: Evidence) -> list[str]:
    return ["persistence mode is off"] if e.facts.get("persistence") is False else []


def _overloaded(e: Evidence) -> list[str]:
    if not e.rate or len(e.rows) < 2:
        return []
    due = [row["submit_s"] for row in e.rows]
    done = [row["token_s"][-1] for row in e.rows if row["token_s"]]
    arriving = max(due) - min(due)
    if not done or max(done) - min(done) <= arriving * (1 + LATE):
        return []
    return [f"{e.rate:g} requests/s are more than it serves: the queue grew"]


def _percentiles_refused(e: Evidence) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for metric, reason in e.refused:
        by_reason.setdefault(reason, []).append(metric)
    return [f"{reason} ({', '.join(metrics)})" for reason, metrics in by_reason.items()]


def _plain_decode(e: Evidence) -> list[str]:
    return [f"each sequence was decoded alone ({e.how})"] if e.how.startswith("plain") else []


def _decode_fallback(e: Evidence) -> list[str]:
    way, _, reason = e.decode.partition(": ")
    return [f"decoded by {reason}"] if way == "fallback" else []


Check = Callable[[Evidence], list[str]]
CHECKS: Mapping[str, Check] = {
    "nothing-measured": _nothing_measured,
    "output-short": _output_short,
    "clock-backwards": _clock_backwards,
    "clock-stopped": _clock_stopped,
    "above-roofline": _above_roofline,
    "warmup-unsettled": _warmup_unsettled,
    "clocks-throttled": _clocks_throttled,
    "other-gpu-processes": _other_gpu_processes,
    "machine-busy": _machine_busy,
    "time-limit": _time_limit,
    "memory-errors": _memory_errors,
    "clock-drift": _clock_drift,
    "settings-changed": _settings_changed,
    "no-telemetry": _no_telemetry,
    "decode-fallback": _decode_fallback,
    "device-lost": _device_lost,
}
"""By code: why a measurement is not valid."""
ANNOTATIONS: Mapping[str, Check] = {
    "power-capped": _power_capped,
    "random-weights": _random_weights,
    "no-process-telemetry": _no_process_telemetry,
    "mig-enabled": _mig_enabled,
    "persistence-off": _persistence_off,
    "overloaded": _overloaded,
    "percentiles-refused": _percentiles_refused,
    "plain-decode": _plain_decode,
}
"""By code: what is to be known of a measurement, valid or not."""
