"""Several processes, one results folder: no record lost, none twice."""

import os
import subprocess
import sys

import pytest


def start(stories, data, results, number):
    """Evaluate and then read the database; two of the six share their settings exactly."""
    argv = ["eval", "--model", stories, "--tasks", "winogrande", "--limit", max(2, number), "--data", data]
    evaluate = [sys.executable, "-m", "minizoo", *map(str, [*argv, "--results", results, "--device", "cpu", "--json"])]
    check = [sys.executable, "-m", "minizoo", "db", "path", "--results", str(results)]
    script = f"import subprocess, sys; sys.exit(subprocess.call({evaluate!r}) or subprocess.call({check!r}))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_six_processes_lose_no_record(minizoo, stories, data, tmp_path):
    running = [start(stories, data, tmp_path, number) for number in range(1, 7)]
    for process in running:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    checked = minizoo("db", "check", "--results", tmp_path)
    assert checked.code == 0, checked.out
    assert checked.out.strip() == "6 records of 6 runs: clean"
    from harness.store.query import query

    assert query(tmp_path, "SELECT sum(n) AS n FROM scores WHERE source = 'measured'") == [{"n": 2 + 2 + 3 + 4 + 5 + 6}]


@pytest.mark.parametrize("writers", [8])
def test_writers_of_the_database_wait_for_each_other(tmp_path, writers):
    from harness.store.catch_up import catch_up

    catch_up_in_another = "from pathlib import Path; from harness.store.catch_up import catch_up; catch_up(Path(%r))"
    running = [
        subprocess.Popen([sys.executable, "-c", catch_up_in_another % str(tmp_path)], stderr=subprocess.PIPE, text=True)
        for _ in range(writers)
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert catch_up(tmp_path) == 0
