"""What a Ray task of a night does on its node: run `minizoo job`, say where it began and how it ended."""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.nodes.cluster import load_ray
from harness.fleet.folders import NightFolder
from harness.fleet.processes import end, kill, started, wait_for

OWN = "MINIZOO_"
THREADS = "OMP_NUM_THREADS"
"""Ray sets it to the cores that a task asks for, which would have a model computed on one."""
OF_THE_TASK = ("RAY_JOB_ID", "RAY_RAYLET_PID")
"""Variables of Ray's own process, which a process that joins the cluster by itself must not take for its own."""
LOOK_SECONDS = 0.5
"""Ray's cancelling is seen between two looks."""
GRACE_SECONDS = 30.0
"""For a job that is asked to stop: it gives its step some time to keep what it has."""
UNSEEN = 4
"""The exit code of what failed by its surroundings."""
LAST_WORDS = 600
"""Characters of what a job printed."""


@dataclass(frozen=True)
class Began:
    """The job's process runs, or is about to."""

    host: str
    node: str


@dataclass(frozen=True)
class Exited:
    """It ended by itself."""

    code: int
    """Negative: the signal that killed it."""
    said: str
    """The last that it printed."""


@dataclass(frozen=True)
class Given:
    """What a task is given."""

    night: str
    job: str
    gpu: bool
    address: str
    """Of the cluster, for an evaluation that is divided over its nodes."""
    environment: Mapping[str, str]
    """minizoo's variables where the night is run; the node's own come first."""
    threads: str | None


def run_on_node(given: Given) -> Generator[Began | Exited]:
    """Run the job to its end. Being cancelled asks it to stop, and leaves no process behind."""
    ray = load_ray()
    yield Began(platform.node(), str(ray.get_runtime_context().get_node_id()))
    if not NightFolder(Path(given.night)).night.is_file():
        yield Exited(
            UNSEEN, f"{platform.node()} does not see {given.night}: the results must lie on storage that all share"
        )
        return
    words = [sys.executable, "-m", "minizoo", "job", given.job, "--night", given.night]
    with tempfile.TemporaryFile() as printed:
        process = started(words, printed, printed, surroundings(given, os.environ))
        try:
            while not wait_for([process], LOOK_SECONDS):
                pass
        except BaseException:
            end([process], signal.SIGTERM, GRACE_SECONDS)
            raise
        kill(process)  # what it left behind
        printed.seek(0)
        said = " ".join(printed.read().decode("utf-8", "replace").split())[-LAST_WORDS:]
    yield Exited(process.returncode, said)


def surroundings(given: Given, here: Mapping[str, str]) -> dict[str, str]:
    """The variables of the job's process on a node whose own are `here`."""
    kept = {name: value for name, value in here.items() if name not in (*OF_THE_TASK, THREADS)}
    threads = {} if given.threads is None else {THREADS: given.threads}
    hidden = {} if given.gpu else {"CUDA_VISIBLE_DEVICES": ""}
    return {**given.environment, **kept, **threads, **hidden, "RAY_ADDRESS": given.address}
