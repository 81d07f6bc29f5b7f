"""How often the series over nights alarm of nothing, and how soon they find a slow-down: simulated, apache-otava beside ours.

    python benchmarks/history_calibration.py --out benchmarks/history_calibration.json --otava /path/to/its/venv/bin/python
    python benchmarks/history_calibration.py --series 30                                  # a look

A night measures canary and candidate some times each. A night's own effect falls on both alike: that is assumed, and all of
these figures rest on it. Noise is each measurement's own. 20 clean nights, then 20 with a slower candidate; for the canary's
own series the machine is slower by 5 %. What alarms in a clean night is a false alarm. apache-otava pins other versions than
ours, so it runs in an environment of its own (`python -m venv otava && otava/bin/pip install apache-otava==0.8.0`); without
`--otava` its rows are left out, and the document says so. Everything follows from `--seed`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from harness.fleet.canary import verdicts  # noqa: E402
from harness.fleet.canary.series import moved  # noqa: E402
from harness.stats.intervals import wilson_interval  # noqa: E402

CLEAN, SLOW = 20, 20
NOISE = 0.01
"""Standard deviation of the logarithm of one measurement, and of a night."""
REPEATS = 5
AUTOCORRELATION = 0.6
HEAVY_NIGHTS, HEAVY_MEAN = 0.08, 0.10
"""The share of nights that are slow, and by how much on average (exponential)."""
OTAVA = Path(__file__).with_name("history_otava.py")
LEAST = verdicts.MAX_SLOWDOWN


@dataclass(frozen=True)
class Scene:
    """What nights are like, and what happens after the clean ones."""

    name: str
    autocorrelation: float
    heavy: bool
    slowdown: float


SCENES = (
    Scene("quiet, 5 %", 0.0, False, 0.05),
    Scene("nights alike (AR 0.6), 5 %", AUTOCORRELATION, False, 0.05),
    Scene("heavy tails, 5 %", 0.0, True, 0.05),
    Scene("nights alike and heavy tails, 3 %", AUTOCORRELATION, True, 0.03),
)


def nights(dice: np.random.Generator, scene: Scene, series: int) -> tuple[Any, Any]:
    """Logarithms of the nights' median speeds, [series, nights]: the candidate's and the canary's."""
    shape = (series, CLEAN + SLOW)
    fresh, phi = NOISE * dice.standard_normal(shape), scene.autocorrelation
    effect = fresh.copy()
    for night in range(1, shape[1]):
        effect[:, night] = phi * effect[:, night - 1] + np.sqrt(1 - phi**2) * fresh[:, night]
    if scene.heavy:
        effect -= (dice.random(shape) < HEAVY_NIGHTS) * dice.exponential(HEAVY_MEAN, shape)
    sides = effect[None, :, :, None] + NOISE * dice.standard_normal((2, *shape, REPEATS))
    candidate, canary = np.median(sides, axis=3)
    candidate[:, CLEAN:] += np.log1p(-scene.slowdown)
    return candidate, canary


def ratio_alarms(values: Sequence[float]) -> list[int]:
    """The clean nights on which `judge_canary` would say `regressed`, and the first slow one."""
    return _until_found(values, lambda known: moved(known, LEAST))


def platform_alarms(values: Sequence[float]) -> list[int]:
    """The clean nights on which `judge_canary` would say `platform`, and the first slow one."""
    least, stay = verdicts.PLATFORM_SLOWDOWN, verdicts.PLATFORM_NIGHTS
    return _until_found(values, lambda known: moved(known, least, stay))


def _until_found(values: Sequence[float], alarm: Callable[[Sequence[float]], Any]) -> list[int]:
    found: list[int] = []
    for night in range(len(values)):
        if alarm(values[: night + 1]):
            found.append(night)
            if night >= CLEAN:
                break
    return found


def row(
    scene: Scene, rule: str, data: str, alarms: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """A rule's figures. `after`: the alarms that count as found, of nights after the clean ones."""
    false = sum(any(night < CLEAN for night in found) for found in alarms)
    first = [next((night - CLEAN + 1 for night in found if night >= CLEAN), None) for found in after]
    seen = [night for night in first if night is not None]
    interval = wilson_interval(false / len(alarms), len(alarms))
    return {
        "scene": scene.name, "rule": rule, "data": data, "series": len(alarms),
        "false_alarms": false / len(alarms), "false_alarms_95": [interval[0], interval[1]],
        "first_night": sum(night == 1 for night in seen) / len(alarms),
        "median_nights": median(seen) if seen else None, "missed": 1 - len(seen) / len(alarms),
    }  # fmt: skip


def by_otava(otava: Path, series: Any) -> tuple[list[list[int]], list[list[int]]]:
    """Its alarms of each series, and those of a change that is none of the clean nights'."""
    lines = "".join(json.dumps([float(value) for value in one]) + "\n" for one in series)
    command = [str(otava), str(OTAVA), str(LEAST)]
    made = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, env={"PYTHONPATH": ""})
    told: list[list[tuple[int, int]]] = [json.loads(line) for line in made.stdout.splitlines()]
    return [[n for n, _ in one] for one in told], [[n for n, place in one if place >= CLEAN - 1] for one in told]


def calibrated(series: int, seed: int, otava: Path | None, otava_series: int) -> list[dict[str, Any]]:
    """A row a scene and rule."""
    rows: list[dict[str, Any]] = []
    dice = np.random.default_rng(seed)
    for scene in SCENES:
        candidate, canary = nights(dice, scene, series)
        slow_canary = canary.copy()
        slow_canary[:, CLEAN:] += np.log1p(-0.05)
        ours: list[tuple[str, str, Any, Callable[[Sequence[float]], list[int]]]] = [
            ("ours", "ratio to the canary", candidate - canary, ratio_alarms),
            ("ours, as if it were a ratio", "raw", candidate, ratio_alarms),
            ("ours, platform", "the canary itself, 5 % slower", slow_canary, platform_alarms),
        ]
        for rule, data, values, alarms_of in ours:
            alarms = [alarms_of(one.tolist()) for one in values]
            rows.append(row(scene, rule, data, alarms, alarms))
            print(rows[-1], file=sys.stderr, flush=True)
        if otava is None:
            continue
        for data, values in (("ratio to the canary", candidate - canary), ("raw", candidate)):
            rows.append(row(scene, "otava, least 2 %", data, *by_otava(otava, values[:otava_series])))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--series", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--otava", type=Path, help="The interpreter of an environment that has apache-otava.")
    parser.add_argument("--otava-series", type=int, default=20, help="How many of the series it is given: it is slow.")
    args = parser.parse_args()
    rows = calibrated(args.series, args.seed, args.otava, args.otava_series)
    told = "apache-otava was not asked: no --otava."
    if args.otava:
        words = "from importlib.metadata import version; print(version('apache-otava'))"
        told = subprocess.run([args.otava, "-c", words], capture_output=True, text=True, check=True).stdout.strip()
    document = {
        "schema": "minizoo.history-calibration/1", "seed": args.seed, "clean_nights": CLEAN, "slow_nights": SLOW,
        "noise": NOISE, "repeats": REPEATS, "heavy_nights": HEAVY_NIGHTS, "heavy_mean": HEAVY_MEAN, "least": LEAST,
        "platform": {"least": verdicts.PLATFORM_SLOWDOWN, "nights": verdicts.PLATFORM_NIGHTS}, "otava": told,
        "versions": {name: version(name) for name in ("numpy", "scipy")}, "scenes": [asdict(one) for one in SCENES],
        "rows": rows,
    }  # fmt: skip
    text = json.dumps(document, indent=1) + "\n"
    if args.out:
        args.out.write_text(text, "utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
