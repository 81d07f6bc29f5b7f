"""How often the nightly gate alarms of nothing, and what it finds: simulated nights, and the page that tells them.

    python benchmarks/gate_calibration.py --out benchmarks/gate_calibration.json --page docs/gate-certificate.md \
        --otava /path/to/its/venv/bin/python
    python benchmarks/gate_calibration.py --nights 200 --losses 100 --gated 10            # a look
    python benchmarks/gate_calibration.py --of benchmarks/gate_calibration.json --page docs/gate-certificate.md

The plan is 5 models × 9 tasks × 4 GPUs a night; benchmarks/nights has what a night is. Everything follows from `--seed`,
whatever `--processes`. apache-otava pins other versions than ours, so it runs in an environment of its own:
`python -m venv otava && otava/bin/pip install apache-otava==0.8.0`. Exits 1 where a bar of the page is not met.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.nights import plan  # noqa: E402
from benchmarks.nights.alarms import Rule  # noqa: E402
from benchmarks.nights.figures import (  # noqa: E402
    false_alarms,
    losses,
    parts_of,
    plan_document,
    seen,
    slowdowns,
)
from benchmarks.nights.jobs import Job, done, jobs  # noqa: E402

PACKAGES = ("numpy", "scipy")


def main() -> int:
    args = _arguments()
    if args.of:
        document = json.loads(args.of.read_text("utf-8"))
    else:
        document = simulated(args)
        if args.out:
            args.out.write_text(json.dumps(document, indent=1) + "\n")
    from benchmarks.nights.page import missed_bars, page_of

    if args.page:
        reruns = ROOT / "benchmarks" / "gate_reruns.json"
        args.page.write_text(page_of(document, json.loads(reruns.read_text()) if reruns.is_file() else None))
    missed = missed_bars(document)
    print("\n".join(missed) if missed else "every bar is met")
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--nights", type=int, default=10_000, help="without a loss, for each discordance")
    words.add_argument("--losses", type=int, default=2_500, help="nights for each task, discordance and loss")
    words.add_argument("--gated", type=int, default=1_000, help="nights through gate_pairs, with and without a loss")
    words.add_argument(
        "--otava", type=Path, help="a Python that has apache-otava; without it that comparison is left out"
    )
    words.add_argument(
        "--otava-series", type=int, default=1_000, help="series that it is given, for each noise and kind"
    )
    words.add_argument("--seed", type=int, default=19)
    words.add_argument("--processes", type=int, default=os.cpu_count())
    words.add_argument("--out", type=Path, help="write the figures to this JSON file")
    words.add_argument("--page", type=Path, help="write the certificate to this Markdown file")
    words.add_argument("--of", type=Path, help="simulate nothing: the figures of this JSON file")
    return words.parse_args()


def nightly_rule() -> Rule:
    """The shipped policy's alphas and margins."""
    from harness.gates.loading import load_policy

    policy = load_policy("nightly").policy
    alpha = {"accuracy": policy.alpha.accuracy, "gold": policy.alpha.gold, "speed": policy.alpha.speed}
    entries = {
        task.name: next(entry for entry in policy.accuracy if fnmatchcase(task.name, entry.task)) for task in plan.TASKS
    }
    return Rule(
        alpha | {"release": 1 - policy.confidence},
        tuple(entries[task.name].gold_margin or 0.0 for task in plan.GOLD),
        tuple(entries[task.name].margin.absolute or 0.0 for task in plan.TESTED),
    )


def simulated(args: argparse.Namespace) -> dict[str, Any]:
    """Every figure, with what it was made by."""
    from benchmarks.nights.gated import gated_nights
    from benchmarks.nights.others import otava_version, others

    began = time.perf_counter()
    rule = nightly_rule()
    work = list(jobs(max(1, args.nights // plan.NIGHTS_OF_A_BASELINE), args.losses, args.seed, rule))
    parts = parts_of(_all_done(work, args.processes))
    _told("other rules on the same speeds", began)
    beside = others(parts, rule, args.otava, args.otava_series)
    _told(f"{args.gated:,} nights through the gate, twice", began)
    gated = gated_nights(args.gated, args.seed, args.processes)
    return {
        "command": shlex.join(["python", "benchmarks/gate_calibration.py", *_words(args)]),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        **_provenance(),
        "otava": otava_version(args.otava) if args.otava else None,
        "seed": args.seed, "seconds": round(time.perf_counter() - began),
        "plan": plan_document(rule),
        "false_alarms": false_alarms(parts, rule), "seen": seen(parts, rule), "losses": losses(parts, rule),
        "slowdowns": slowdowns(parts, rule), "others": beside, "gated": gated,
    }  # fmt: skip


def _words(args: argparse.Namespace) -> list[str]:
    """What decides the figures, without paths."""
    return [
        "--nights", str(args.nights), "--losses", str(args.losses), "--gated", str(args.gated),
        "--otava-series", str(args.otava_series), "--seed", str(args.seed),
    ]  # fmt: skip


def _all_done(work: Sequence[Job], processes: int) -> list[tuple[Job, dict[str, Any]]]:
    began = time.perf_counter()
    found: list[tuple[Job, dict[str, Any]]] = []
    with ProcessPoolExecutor(processes) as pool:
        for future in as_completed([pool.submit(done, job) for job in work]):
            found.append(future.result())
            if len(found) % max(1, len(work) // 20) == 0:
                _told(f"{len(found)} of {len(work)} pieces", began)
    return found


def _told(what: str, began: float) -> None:
    print(f"{time.perf_counter() - began:5.0f} s  {what}", file=sys.stderr, flush=True)


def _provenance() -> dict[str, Any]:
    from harness.records.provenance import git_sha
    from harness.speed.probes.os_probe import OsProbe

    facts = OsProbe().facts()
    return {
        "commit": git_sha(), "cpu": facts["product"], "processors": facts["processors"],
        "versions": {name: version(name) for name in PACKAGES}, "python": platform.python_version(),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
