"""examples/nightly.sbatch on a real Slurm: an array of jobs, one node without power in the middle, and the same results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.night_results import differences, read_results
from support.paths import ROOT
from support.slurm_cluster import missing_programs, slurm_cluster, wait_until

PLAN = """\
schema: minizoo.nightly/1
name: short
models: [nano-teacher, nano-width]
suites: [short.yaml]
"""
SUITE = """\
name: short
description: Long enough to lose a node in the middle.
folders: [harness/tasks/nano]
tasks:
  - {task: nano_words, limit: 60}
  - {task: nano_endings, limit: 60}
"""


@pytest.fixture
def cluster():
    if missing := missing_programs():
        pytest.skip(f"Slurm is not installed here (slurm-wlm and munge): no {', '.join(missing)}")
    with slurm_cluster(nodes=2) as running:
        bin_ = Path(sys.executable).parent  # not resolved: the environment's
        running.env["PATH"] = os.pathsep.join([str(bin_), running.env["PATH"]])
        yield running


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "nightly.yaml"
    path.write_text(PLAN)
    (tmp_path / "short.yaml").write_text(SUITE)
    return path


def answers_of(results, job):
    """What the job has scored of a run that is not finished."""
    found = results.glob(f"nights/*/jobs/{job}/results/partial/*/answers.jsonl")
    return b"".join(path.read_bytes() for path in found)


def node_of(cluster, number):
    """The node on which a task of the array runs."""
    return next((node for job, state, node in cluster.queue() if job.endswith(number) and state == "RUNNING"), None)


def verdict_of(cluster, job):
    """The exit code of a task that has ended, as Slurm has it."""
    return int(cluster.call("scontrol", "show", "job", job, "--oneliner").partition(" ExitCode=")[2].partition(":")[0])


def test_a_night_whose_node_is_lost_ends_in_the_results_of_one_machine(cluster, plan, tmp_path):
    shared = tmp_path / "results"
    submitted = cluster.call("bash", ROOT / "examples/nightly.sbatch", plan, shared, cwd=tmp_path)
    emitted = json.loads(next(tmp_path.glob("jobs-*.json")).read_text())
    lost = emitted["jobs"][0]["id"]
    wait_until(lambda: node_of(cluster, "_1"), "the first job is not begun", cluster.logs)
    node = node_of(cluster, "_1")
    wait_until(lambda: answers_of(shared, lost), "nothing is scored", cluster.logs, every=0.02)
    cluster.kill_node(node)
    assert answers_of(shared, lost)

    alone = tmp_path / "alone"
    words = [sys.executable, "-m", "minizoo", "nightly", "--plan", plan, "--results", alone]
    here = subprocess.run(words, capture_output=True, text=True, check=False)  # while Slurm waits for the node
    assert here.returncode == 0, here.stderr
    cluster.wait_for_end()

    night = read_results(shared)
    assert differences(night, read_results(alone)) == []
    assert {job.status for job in night.outcome.jobs} == {"done"}
    assert night.attempts[lost] == ["job-lost", None]
    assert verdict_of(cluster, submitted.splitlines()[-1]) == night.outcome.exit_code == here.returncode
