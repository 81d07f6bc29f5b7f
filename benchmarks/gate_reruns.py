"""Identical code run again with other thread counts, row budgets and dtypes, each run gated against the first: how many pass?

    python benchmarks/gate_reruns.py --out benchmarks/gate_reruns.json
    python benchmarks/gate_reruns.py --runs 4 --limit 20                     # a look

Scores are computed in every run, generated answers in every tenth (`--generate-every`); a run is gated by what it ran. On a
CPU packed products are in fp32 whatever the dtype, so one run is in the plain form, in bfloat16 throughout. Exits 1 unless
every run passes (exit code 0 of the gate). `benchmarks/gate_calibration.py --of … --page …` puts it on the certificate.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from harness.accuracy.prepare import DocumentRules, EvalRequest  # noqa: E402
from harness.gates.gate import gate_pairs  # noqa: E402
from harness.gates.loading import load_policy  # noqa: E402
from harness.gates.noise.calibration import noise_file  # noqa: E402
from harness.gates.noise.file import NoiseFile, save_noise  # noqa: E402
from harness.gates.noise.measured import tasks_of  # noqa: E402
from harness.gates.noise.reruns import Rerun, Reruns, Ways, rerun  # noqa: E402

PACKAGES = ("numpy", "scipy", "torch", "transformers", "lm-eval")
RIGHT_OR_WRONG = frozenset({"acc", "acc_norm", "exact_match"})


def main() -> int:
    args = _arguments()
    began = time.perf_counter()

    def told(line: str) -> None:
        print(f"{time.perf_counter() - began:5.0f} s  {line}", file=sys.stderr, flush=True)

    request = EvalRequest(args.model, rules=DocumentRules(limit=args.limit))
    document = document_of(rerun(request, args.runs, told, _ways(args)), args)
    if args.out:
        args.out.write_text(json.dumps(document, indent=1) + "\n")
    for line in document["not_passed"]:
        print(line)
    print(f"{document['passed']} of {document['runs']} pass")
    return 0 if document["passed"] == document["runs"] else 1


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--model", default="nano-teacher")
    words.add_argument("--runs", type=int, default=100)
    words.add_argument("--limit", type=int, help="documents a task")
    words.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    words.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    words.add_argument(
        "--plain", type=int, default=1, help="of the runs, in the last dtype by the engine's plain form, slow"
    )
    words.add_argument("--generate-every", type=int, default=10, help="runs of which one generates text too")
    words.add_argument("--policy", default="nightly")
    words.add_argument("--out", type=Path, help="write the figures to this JSON file")
    words.add_argument("--noise", type=Path, help="write the noise to this file, as `minizoo gate --calibrate` does")
    return words.parse_args()


def _ways(args: argparse.Namespace) -> Ways:
    return Ways(tuple(args.threads), tuple(args.dtypes), args.plain, args.generate_every)


def document_of(made: Reruns, args: argparse.Namespace) -> dict[str, Any]:
    """The runs gated and counted, with their noise."""
    noise = noise_file(made)
    if args.noise:
        save_noise(args.noise, noise)
    verdicts = [_gated(made, run, args.policy) for run in made.others]
    return {
        "command": shlex.join(["python", "benchmarks/gate_reruns.py", "--runs", str(args.runs), *_limit(args)]),
        "made": datetime.now(UTC).isoformat(timespec="seconds"), **_provenance(), "generate_every": args.generate_every,
        "seconds": round(sum(run.seconds for run in (made.first, *made.others))),
        "model": noise.model, "suite": noise.suite, "policy": args.policy, "first": noise.first,
        "runs": len(verdicts), "passed": sum(code == 0 for code, _ in verdicts),
        "statuses": dict(sorted(Counter(status for _, found in verdicts for status in found.values()).items())),
        "not_passed": [f"{run.how}: {found}" for run, (code, found) in zip(made.others, verdicts, strict=True) if code],
        "variations": _by_variation(made, [code for code, _ in verdicts]),
        "tasks": _tasks(noise),
    }  # fmt: skip


def _limit(args: argparse.Namespace) -> list[str]:
    return ["--limit", str(args.limit)] if args.limit else []


def _gated(made: Reruns, run: Rerun, policy: str) -> tuple[int, dict[str, str]]:
    """Exit code and the status of each task, without a calibration's help."""
    ran = tasks_of(run.side)
    first = replace(
        made.first.side, results={key: of for key, of in made.first.side.results.items() if key.task in ran}
    )
    outcome = gate_pairs(load_policy(policy), [(first, run.side)])
    return outcome.exit_code, {verdict.task: verdict.status for verdict in outcome.verdicts}


def _by_variation(made: Reruns, codes: list[int]) -> list[dict[str, Any]]:
    """A row a way of running: how many, how many pass, mean seconds."""
    rows: dict[str, list[tuple[int, float]]] = {}
    for run, code in zip(made.others, codes, strict=True):
        rows.setdefault(run.how, []).append((code, run.seconds))
    return [
        {
            "how": how, "runs": len(found), "passed": sum(code == 0 for code, _ in found),
            "seconds": sum(seconds for _, seconds in found) / len(found),
        }
        for how, found in rows.items()
    ]  # fmt: skip


def _tasks(noise: NoiseFile) -> list[dict[str, Any]]:
    return [{**task.model_dump(mode="json"), "right_or_wrong": task.metric in RIGHT_OR_WRONG} for task in noise.tasks]


def _provenance() -> dict[str, Any]:
    from harness.records.provenance import git_sha
    from harness.speed.probes.os_probe import OsProbe

    facts = OsProbe().facts()
    return {
        "commit": git_sha(), "cpu": facts["product"], "processors": facts["processors"],
        "load_average": os.getloadavg()[0], "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
