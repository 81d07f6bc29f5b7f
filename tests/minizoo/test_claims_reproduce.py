"""`minizoo claims --reproduce`: its table and its JSON, options that need it, a run that is interrupted and goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from support.findings import write_seed
from support.paths import ROOT

from harness.findings.folder import ExperimentFolder
from zoo.reproduce.scale import SMOKE


@pytest.fixture
def done(tmp_path):
    """Four whole seeds of the smoke experiment, by hand."""
    folder = ExperimentFolder(tmp_path / "out", SMOKE)
    folder.open()
    for seed in range(1, 5):
        write_seed(folder, seed, wall=3000.0)
    return folder.path


def test_a_table_with_a_verdict_a_row_and_what_it_cost(minizoo, done):
    ran = minizoo("claims", "--reproduce", "smoke", "--seeds", 4, "--out", done)
    assert "What the papers found, and what was found here" in ran.out
    assert "different" in ran.out  # every arm loses the same here: nothing that the papers found is there
    assert "4 whole seeds" in ran.out
    assert ran.code == 3  # a factor of tokens has no seed here, for no curve falls


def test_json_has_the_verdicts_and_the_record(minizoo, done):
    told = minizoo("claims", "--reproduce", "smoke", "--seeds", 4, "--out", done, "--json").json()
    assert told["schema"] == "minizoo.findings/1"
    assert len(told["verdicts"]) == 15
    assert told["record"]["whole_seeds"] == 4
    words = {each["id"]: each["word"] for each in told["verdicts"]}
    assert (words["kl-alone-no-worse"], words["distilled-beats-text"]) == ("same", "different")


def test_seeds_that_do_not_fit_the_hours_are_named_and_the_exit_code_is_3(minizoo, done):
    ran = minizoo("claims", "--reproduce", "smoke", "--seeds", 5, "--hours", 0.5, "--out", done)
    assert ran.code == 3
    assert "The 0.5 h do not suffice for seeds 5; the same command goes on with them." in ran.err
    assert "4 whole seeds" in ran.out


OPTIONS = [("--seeds", 3), ("--workers", 1), ("--hours", 2), ("--out", "x")]


@pytest.mark.parametrize("words", OPTIONS, ids=lambda words: words[0])
def test_options_of_an_experiment_need_one(minizoo, words):
    ran = minizoo("claims", *words)
    assert (ran.code, f"{words[0]} goes with --reproduce." in ran.err) == (2, True)


def test_an_experiment_that_there_is_not(minizoo):
    ran = minizoo("claims", "--reproduce", "milli")
    assert (ran.code, "nano" in ran.err) == (2, True)


def test_an_interrupted_run_ends_its_seeds_writes_its_record_and_goes_on(tmp_path, minizoo):
    words = [
        sys.executable,
        "-m",
        "minizoo",
        "claims",
        "--reproduce",
        "smoke",
        "--seeds",
        "1",
        "--out",
        str(tmp_path / "out"),
    ]
    place = tmp_path / "out" / "seed-001"
    with subprocess.Popen(
        words, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (place / "teacher.json").exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert "too few seeds" in out
    assert "The same command goes on." in err
    record = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert record["whole_seeds"] == 0
    assert "teacher" in {arm["name"] for arm in record["arms"]}
    left = {path: path.stat().st_mtime_ns for path in place.glob("*.json")}
    assert minizoo("claims", "--reproduce", "smoke", "--seeds", 1, "--out", tmp_path / "out").code == 3  # one seed
    assert {path: path.stat().st_mtime_ns for path in left} == left
    assert json.loads((tmp_path / "out" / "findings.json").read_text())["whole_seeds"] == 1
