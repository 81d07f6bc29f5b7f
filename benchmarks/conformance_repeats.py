"""How often conformance raises a false alarm: every check, many times over.

    python benchmarks/conformance_repeats.py [--repeats 100] [--backend hf] [--out benchmarks/conformance_repeats.json]
    python benchmarks/conformance_repeats.py --backend vllm --python VLLM_PYTHON --repeats 20

Each repeat asks with other drawn sequences. `hf` and `pruned` are opened anew for each; of vLLM one engine answers all, with
what its prefix cache keeps from one repeat to the next. Writes how often each check failed and the largest of its figures, a
backend beside those that the file has, and exits 1 where a check failed.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from backends.conformance.outcome import Outcome  # noqa: E402
from backends.conformance.reference import plain_reference  # noqa: E402
from backends.conformance.run import run_checks  # noqa: E402
from backends.contract import Backend, Options  # noqa: E402
from backends.opening import open_backend  # noqa: E402
from zoo.checkpoint.locate import locate  # noqa: E402

MODELS = {"hf": "nano-teacher", "pruned": "nano-width-pruned", "vllm": "nano-teacher"}
OWN = ("hf", "pruned")
SHOWN = ("largest", "share_of_allowed", "mean", "log_of_sum")
"""Figures whose largest magnitude is kept."""


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repeats", type=int, default=100)
    words.add_argument("--backend", choices=sorted(MODELS), action="append", help="without it hf and pruned")
    words.add_argument("--python", help="with vllm: its interpreter")
    words.add_argument("--dtype", default="float32")
    words.add_argument("--out", type=Path, default=HERE / "conformance_repeats.json")
    args = words.parse_args()
    options = Options(device="cpu", dtype=args.dtype, python=args.python)
    found = {name: repeated(name, options, args.repeats) for name in args.backend or OWN}
    kept = json.loads(args.out.read_text("utf-8"))["backends"] if args.out.exists() else {}
    document = {"machine": platform.machine(), "dtype": args.dtype, "backends": {**kept, **found}}
    args.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=1))
    return int(any(one["false_alarms"] for one in found.values()))


def repeated(name: str, options: Options, repeats: int) -> dict[str, object]:
    failed: Counter[str] = Counter()
    asked = 0
    worst: dict[str, dict[str, float]] = {}
    began = time.monotonic()
    for number, outcome in enumerate(outcomes(name, options, repeats)):
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


def outcomes(name: str, options: Options, repeats: int) -> Iterator[Outcome]:
    checkpoint = locate(MODELS[name])
    opener: Callable[[], Backend] = partial(open_backend, checkpoint, name, options)
    if name in OWN:
        for draw in range(repeats):
            with closing(opener()) as backend:
                yield run_checks(backend, checkpoint, plain_reference(checkpoint), reopen=opener, draw=draw)
        return
    with closing(opener()) as backend:
        for draw in range(repeats):
            yield run_checks(backend, checkpoint, plain_reference(checkpoint), draw=draw)


if __name__ == "__main__":
    sys.exit(main())
