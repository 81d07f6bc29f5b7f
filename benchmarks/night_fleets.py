"""One plan as a night on this machine, on three Ray nodes and on three Slurm nodes, a node of each killed: the same results?

    python benchmarks/night_fleets.py --out benchmarks/night_fleets.json
    python benchmarks/night_fleets.py --ways slurm --suite examples/my_suite.yaml      # a look

A node is killed while its job scores: of Ray its raylet (and so its workers), of Slurm slurmd, slurmstepd and all of the
job's processes at once. Results are the same where the jobs, their states, every score, every document's value (to rounding
where it is a log-probability, for a job that goes on computes other rows) and the exit code are, each job has one run, and
nothing unfinished is left. Exits 1 where something differs, or the killed job did not go on. Ray and Slurm (slurmctld, slurmd,
munged) must be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from support.night_results import NightResults, differences, read_results  # noqa: E402
from support.ray_cluster import RayCluster  # noqa: E402
from support.slurm_cluster import missing_programs, slurm_cluster, wait_until  # noqa: E402

from harness.fleet.folders import JobFolder  # noqa: E402
from harness.fleet.jobs.progress import read_progress  # noqa: E402

MODELS = ("nano-teacher", "nano-width", "nano-depth")
NODES = 3
PLAN = "schema: minizoo.nightly/1\nname: fleets\nmodels: [{models}]\nsuites: [{{suite: {suite}, limit: {limit}}}]\n"
COMMAND = (sys.executable, "-m", "minizoo", "nightly")


@dataclass(frozen=True)
class Told:
    """How a way of running the plan went."""

    results: Path
    seconds: float
    exit_code: int
    killed: str | None = None
    """The job whose node was killed."""


def main() -> int:
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="fleets-") as folder:
        plan = Path(folder) / "nightly.yaml"
        plan.write_text(PLAN.format(models=", ".join(MODELS), suite=args.suite, limit=args.limit))
        told = {"here": here(plan, Path(folder) / "here")}
        for way in args.ways:
            told[way] = WAYS[way](plan, Path(folder) / way)
        document = document_of(told, args)
    text = json.dumps(document, indent=1)
    if args.out:
        args.out.write_text(text + "\n")
    print(text)
    return 0 if all(row["same"] for row in document["ways"].values()) else 1


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    words.add_argument("--suite", default="nano", help="name or YAML file")
    words.add_argument("--limit", type=int, default=40, help="documents a task")
    words.add_argument("--out", type=Path, help="write the figures to this JSON file")
    args = words.parse_args()
    if Path(args.suite).exists():
        args.suite = Path(args.suite).resolve()
    if "slurm" in args.ways and (missing := missing_programs()):
        words.error(f"Slurm is not installed: no {', '.join(missing)}")
    return args


def document_of(told: dict[str, Told], args: argparse.Namespace) -> dict[str, Any]:
    """Every way beside the night of this machine."""
    nights = {way: read_results(one.results) for way, one in told.items()}
    words = ["--ways", *args.ways, "--suite", str(args.suite), "--limit", str(args.limit)]
    return {
        "command": shlex.join(["python", "benchmarks/night_fleets.py", *words]),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "minizoo": version("minizoo"), "ray": version("ray"), "slurm": _slurm_version() if "slurm" in args.ways else None,
        "python": platform.python_version(), "cores": os.cpu_count(),
        "values": len(nights["here"].values),
        "ways": {way: _row(told[way], night, nights["here"]) for way, night in nights.items()},
    }  # fmt: skip


def _row(told: Told, night: NightResults, alone: NightResults) -> dict[str, Any]:
    other = differences(night, alone)
    went_on = told.killed is None or night.attempts[told.killed] == ["job-lost", None]
    same = not other and went_on and told.exit_code == night.outcome.exit_code
    return {
        "same": same, "differences": other[:20], "exit_code": told.exit_code, "seconds": round(told.seconds, 1),
        "jobs": {job.job: job.status for job in night.outcome.jobs}, "runs": len(night.runs),
        "killed": told.killed, "attempts": night.attempts,
        "largest_difference": _largest(night, alone),
    }  # fmt: skip


def _largest(night: NightResults, alone: NightResults) -> float:
    pairs = ((value, alone.values.get(key)) for key, value in night.values.items())
    return max((abs(mine - others) for mine, others in pairs if mine is not None and others is not None), default=0.0)


def here(plan: Path, results: Path) -> Told:
    """The plan by this machine alone, undisturbed."""
    began = time.monotonic()
    ran = subprocess.run([*COMMAND, "--plan", plan, "--results", results], check=False)
    return Told(results, time.monotonic() - began, ran.returncode)


def ray(plan: Path, results: Path) -> Told:
    """Three Ray nodes, of which one dies while its job scores."""
    cluster = RayCluster()
    try:
        nodes = {_raylet(node): node for node in [cluster.add() for _ in range(NODES)]}
        began = time.monotonic()
        process = subprocess.Popen([*COMMAND, "--plan", plan, "--results", results, "--ray", cluster.address])
        job = _scoring(results, lambda: process.poll() is None)
        pid = read_progress(job).began
        assert pid is not None
        node = next(nodes[parent] for parent in _ancestors(pid.pid) if parent in nodes)
        cluster.kill(node)
        code = process.wait()
        return Told(results, time.monotonic() - began, code, job.path.name)
    finally:
        cluster.shut_down()


def slurm(plan: Path, results: Path) -> Told:
    """Three Slurm nodes by examples/nightly.sbatch, of which one loses its power while its job scores."""
    with slurm_cluster(NODES) as cluster:
        cluster.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), cluster.env["PATH"]])
        began = time.monotonic()
        cluster.call("bash", ROOT / "examples/nightly.sbatch", plan, results, cwd=plan.parent)
        job = _scoring(results, lambda: True)
        number = 1 + [f"{one}".split(" ")[0] for one in _ids(plan.parent)].index(job.path.name)
        (node,) = [node for task, _, node in cluster.queue() if task.endswith(f"_{number}")]
        cluster.kill_node(node)
        cluster.wait_for_end()
        code = cluster.call("scontrol", "show", "job", "--oneliner")
        verdict = next(line for line in code.splitlines() if "JobName=minizoo-verdict" in line)
        exit_code = int(verdict.partition("ExitCode=")[2].partition(":")[0])
        return Told(results, time.monotonic() - began, exit_code, job.path.name)


def _ids(folder: Path) -> list[str]:
    """The jobs of the newest emitted file, in order."""
    return [job["id"] for job in json.loads(max(folder.glob("jobs-*.json")).read_text())["jobs"]]


def _scoring(results: Path, going: Callable[[], bool]) -> JobFolder:
    """A job that has scored something and not finished, once there is one."""

    def found() -> list[Path]:
        assert going(), "the night ended before a node could be killed"
        partial = results.glob("nights/*/jobs/*/results/partial/*/answers.jsonl")
        return [path.parents[3] for path in partial if path.stat().st_size]

    wait_until(found, "no job scores anything")
    return JobFolder(found()[0])


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def _ancestors(pid: int) -> list[int]:
    """The process, its parent, and so on."""
    line = [pid]
    with suppress(OSError):
        while line[-1] > 1:
            line.append(int(Path(f"/proc/{line[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
    return line


def _slurm_version() -> str:
    # sbatch asks for a configuration even of its version
    return subprocess.run(["slurmctld", "-V"], capture_output=True, text=True, check=True).stdout.strip()


WAYS: dict[str, Callable[[Path, Path], Told]] = {"ray": ray, "slurm": slurm}

if __name__ == "__main__":
    sys.exit(main())
