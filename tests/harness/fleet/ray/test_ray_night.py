"""A whole night on a real cluster of three nodes, the one that scores killed: the results of a night that nothing disturbed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.night_results import differences, read_results
from support.paths import ROOT
from support.ray_cluster import until
from support.workers import is_alive

from harness.fleet.folders import JobFolder
from harness.fleet.jobs.progress import read_progress

PLAN = f"""\
schema: minizoo.nightly/1
name: one
models: [nano-teacher]
suites: [{ROOT / "examples/my_suite.yaml"}]
"""


def began(plan, results, *words):
    command = [sys.executable, "-m", "minizoo", "nightly", "--plan", plan, "--results", results, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def scoring(results):
    """The process of a job that scores, and the step that it waits for, which is stopped: it cannot end before its node."""
    until(lambda: list(results.glob("nights/*/jobs/*/results/partial/*/*")))
    (job,) = results.glob("nights/*/jobs/*")
    pid = read_progress(JobFolder(job)).began.pid
    (step,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    os.kill(step, signal.SIGSTOP)
    return pid, step


def raylet_of(cluster, pid):
    """The node that a process was begun by."""
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.nodes.values()}
    while pid not in raylets:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return raylets[pid]


def test_a_night_whose_node_is_killed_ends_in_the_results_of_an_undisturbed_one(cluster, tmp_path):
    plan = tmp_path / "nightly.yaml"
    plan.write_text(PLAN)
    night = began(plan, tmp_path / "ray", "--ray", cluster.address)
    processes = scoring(tmp_path / "ray")
    cluster.kill(raylet_of(cluster, processes[0]))
    said, _ = night.communicate()
    until(lambda: not any(map(is_alive, processes)))
    assert night.returncode == 0, said
    assert "is given out again" in said

    alone = began(plan, tmp_path / "alone")
    assert alone.wait() == 0, alone.communicate()[0]
    killed = read_results(tmp_path / "ray")
    assert list(killed.attempts.values()) == [["job-lost", None]]
    assert differences(killed, read_results(tmp_path / "alone")) == []
