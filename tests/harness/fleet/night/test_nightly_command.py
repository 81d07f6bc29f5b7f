"""`minizoo nightly` and `minizoo job` as they are typed."""

import json
import resource
import subprocess
import sys

import pytest
from support.nights import job, night

from harness.fleet.night.lock import night_lock
from minizoo.cli import run

PLAN = "schema: minizoo.nightly/1\nname: test\nmodels: [nano-teacher]\nsuites: [nano]\n"


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return str(path)


@pytest.mark.parametrize(
    "options",
    [
        ["--dry-run", "--collect"],
        ["--emit", "jobs.json", "--ray", "auto"],
        ["--fresh", "--collect"],
        ["--notify", "mail", "--dry-run"],
        ["--notify", "'"],
        ["--notify", " "],
    ],
)
def test_options_that_do_not_go_together_are_refused(plan, options, capsys):
    assert run(["nightly", "--plan", plan, *options]) == 2
    assert capsys.readouterr().err.startswith("minizoo: ")


def test_a_plan_that_names_what_there_is_not_is_told_with_its_line(tmp_path, capsys):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("nano-teacher", "nano-taecher"))
    assert run(["nightly", "--plan", str(path), "--results", str(tmp_path / "r"), "--json"]) == 2
    said = capsys.readouterr()
    assert f"{path}:3:" in said.err
    assert "nano-teacher" in said.err
    assert json.loads(said.out)["code"] == "invalid-night-plan"
    assert not list((tmp_path / "r").glob("nights/*/"))


def test_a_second_night_in_one_results_folder_is_told_who_holds_it(tmp_path, plan, capsys):
    results = tmp_path / "r"
    with night_lock(results, "the first"):
        assert run(["nightly", "--plan", plan, "--results", str(results)]) == 4
    assert "plan the first, pid " in capsys.readouterr().err


def test_jobs_for_a_scheduler_are_written_with_their_results_folder(tmp_path, plan, capsys):
    results, file = tmp_path / "r", tmp_path / "jobs.json"
    assert run(["nightly", "--plan", plan, "--results", str(results), "--emit", str(file)]) == 0
    document = json.loads(file.read_text())
    assert document["results"] == str(results)
    assert [one["id"] for one in document["jobs"]] == ["eval-nano-teacher-nano-hf-cpu"]
    assert f"minizoo job N --jobs {file}" in capsys.readouterr().out
    assert run(["job", "2", "--jobs", str(file)]) == 2
    assert "unknown-job" in json_of(capsys, ["job", "2", "--jobs", str(file), "--json"])["code"]


def json_of(capsys, words):
    capsys.readouterr()
    run(words)
    return json.loads(capsys.readouterr().out)


def test_a_job_tells_its_outcome_and_its_exit_code(tmp_path, capsys):
    jobs = job(tmp_path, "good", "ok"), job(tmp_path, "bad", "usage"), job(tmp_path, "off", "environment")
    folder, _ = night(tmp_path, *jobs)
    for name, code in {"good": 0, "bad": 1, "off": 4}.items():
        capsys.readouterr()
        assert run(["job", name, "--night", str(folder.path), "--json"]) == code
        told = json.loads(capsys.readouterr().out)
        assert (told["schema"], told["job"], told["exit_code"]) == ("minizoo.job/1", name, code)
    assert run(["job", "good"]) == 2


def test_a_full_disk_is_the_surroundings_fault_and_everything_before_stays(tmp_path):
    """A limit on the size of files stands for a disk without room: writes fail in the midst, as they do there."""
    one = job(tmp_path, "one", "ok")
    folder, _ = night(tmp_path, one)

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    words = [sys.executable, "-m", "minizoo", "job", "one", "--night", str(folder.path)]
    ran = subprocess.run(
        words, capture_output=True, text=True, preexec_fn=little_room, check=False
    )  # the log is full too
    assert ran.returncode == 4
    assert "File too large" in ran.stderr
    assert not folder.job("one").outcome.exists()
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert "one: done" in again.stdout
