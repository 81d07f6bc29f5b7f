"""How often conformance raises a false alarm: every check of `hf` and `pruned`, many times over.

    python benchmarks/conformance_repeats.py [--repeats 100] [--backend hf] [--out benchmarks/conformance_repeats.json]

Each repeat opens backend and reference anew and asks with other drawn sequences. Writes how often each check failed and the
largest of its figures, and exits 1 where one failed.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from backends.conformance.outcome import Outcome  # noqa: E402
from backends.conformance.reference import plain_reference  # noqa: E402
from backends.conformance.run import run_checks  # noqa: E402
from backends.contract import Options  # noqa: E402
from backends.opening import open_backend  # noqa: E402
from zoo.checkpoint.locate import locate  # noqa: E402

MODELS = {"hf": "nano-teacher", "pruned": "nano-width-pruned"}
SHOWN = ("largest", "share_of_allowed", "mean", "log_of_sum")
"""Figures whose largest magnitude is kept."""


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repeats", type=int, default=100)
    words.add_argument("--backend", choices=sorted(MODELS), action="append", help="both without it")
    words.add_argument("--dtype", default="float32")
    words.add_argument("--out", type=Path, default=HERE / "conformance_repeats.json")
    args = words.parse_args()
    found = {name: repeated(name, args.dtype, args.repeats) for name in args.backend or sorted(MODELS)}
    text = json.dumps({"machine": platform.machine(), "dtype": args.dtype, "backends": found}, indent=1)
    args.out.write_text(text + "\n", "utf-8")
    print(text)
    return int(any(one["false_alarms"] for one in found.values()))


def repeated(name: str, dtype: str, repeats: int) -> dict[str, object]:
    failed: Counter[str] = Counter()
    asked = 0
    worst: dict[str, dict[str, float]] = {}
    began = time.monotonic()
    for number in range(repeats):
        outcome = once(name, dtype, number)
        asked += sum(check.verdict != "skip" for check in outcome.checks)
        failed.update(f"{check.check}: {check.said}" for check in outcome.failed())
        for check in outcome.checks:
            kept = worst.setdefault(check.check, {})
            for figure in SHOWN:
                if isinstance(value := check.figures.get(figure), float):
                    kept[figure] = max(kept.get(figure, 0.0), abs(value))
        print(f"{name} {number + 1}/{repeats}: {'passed' if outcome.passed else 'FAILED'}", file=sys.stderr)
    return {
        "model": MODELS[name],
        "repeats": repeats,
        "checks_asked": asked,
        "false_alarms": sum(failed.values()),
        "failed": dict(failed),
        "largest_figures": {check: kept for check, kept in worst.items() if kept},
        "seconds": round(time.monotonic() - began, 1),
    }


def once(name: str, dtype: str, draw: int) -> Outcome:
    checkpoint = locate(MODELS[name])
    opener = partial(open_backend, checkpoint, name, Options(device="cpu", dtype=dtype))
    backend = opener()
    try:
        return run_checks(backend, checkpoint, plain_reference(checkpoint), reopen=opener, draw=draw)
    finally:
        backend.close()


if __name__ == "__main__":
    sys.exit(main())
