"""The same series of speeds through rules that others use: a fixed threshold on raw numbers, and apache-otava."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nights import plan
from benchmarks.nights.alarms import Rule
from benchmarks.nights.figures import Parts, joined, speed_of
from benchmarks.nights.plan import SPEED_NOISES
from benchmarks.nights.shares import share

THRESHOLD = 0.05
CLEAN = plan.NIGHTS_OF_A_BASELINE
OTAVA_SERIES = Path(__file__).with_name("otava_series.py")


def others(parts: Parts, rule: Rule, otava: Path | None, otava_series: int) -> list[dict[str, Any]]:
    """A row a noise and rule: false alarms in the clean nights of a series, and slow-downs found. `otava`: its interpreter."""
    rows: list[dict[str, Any]] = []
    for noise in SPEED_NOISES:
        found = speed_of(parts, noise)
        raw, ratio = joined(found, "raw"), joined(found, "ratio")
        paired = joined(found, "p") <= rule.threshold("speed")
        rows.append(_row("paired", "trials in turn with a canary", noise, paired))
        rows.append(_row("threshold", "raw, against the first night", noise, _beyond(raw, raw[:, :1])))
        rows.append(_row("threshold", "raw, against the night before", noise, _beyond(raw[:, 1:], raw[:, :-1])))
        if otava is not None:
            for what, values in (("raw", raw), ("ratio to the canary", ratio)):
                rows.append(_row("otava", what, noise, _by_otava(values, otava, otava_series), cells=1))
    return rows


def _beyond(values: Any, reference: Any) -> Any:
    alarms = values > (1 + THRESHOLD) * reference
    missing = CLEAN + plan.SLOW_NIGHTS - alarms.shape[1]
    return np.pad(alarms, ((0, 0), (missing, 0), (0, 0)))


def _row(rule: str, data: str, noise: float, alarms: Any, cells: int = plan.CELLS) -> dict[str, Any]:
    """`alarms` [series, nights, cells]. Nights of the whole plan are counted where a series has all of its cells."""
    clean, slow = alarms[:, :CLEAN], alarms[:, CLEAN:]
    return {
        "rule": rule, "data": data, "speed_noise": noise,
        "false_alarms": share(int(clean.sum()), clean.size),
        "series_with_false_alarm": share(int(clean.any(axis=1).sum()), clean[:, 0].size),
        "plan_nights_with_false_alarm": share(int(clean.any(axis=2).sum()), clean[..., 0].size) if cells > 1 else None,
        "first_night": share(int(slow[:, 0].sum()), slow[:, 0].size),
        "two_nights": share(int(slow.any(axis=1).sum()), slow[:, 0].size),
    }  # fmt: skip


def _by_otava(values: Any, otava: Path, most: int) -> Any:
    """Alarms of the first `most` series of single cells, [series, nights, 1]."""
    chosen: Sequence[Any] = values.transpose(0, 2, 1).reshape(-1, values.shape[1])[:most]
    lines = "".join(json.dumps([float(value) for value in series]) + "\n" for series in chosen)
    made = subprocess.run(
        [otava, OTAVA_SERIES], input=lines, capture_output=True, text=True, check=True, env={"PYTHONPATH": ""}
    )
    alarms = np.zeros((len(chosen), values.shape[1], 1), dtype=bool)
    for at, line in enumerate(made.stdout.splitlines()):
        alarms[at, json.loads(line)] = True
    return alarms


def otava_version(otava: Path) -> str:
    """As its distribution says."""
    words = "from importlib.metadata import version; print(version('apache-otava'))"
    return subprocess.run([otava, "-c", words], capture_output=True, text=True, check=True).stdout.strip()
