"""`minizoo … | head`: a reader that has gone never turns into exit code 1, which would mean a regression."""

import os
import subprocess
import sys

import pytest
from support.commands import every_command
from support.paths import ROOT

SUITE = str(ROOT / "examples/my_suite.yaml")
RUNS: dict[str, tuple[list[str], int]] = {
    "help": (["--help"], 0),
    "version": (["--version"], 0),
    "unknown command": (["evl", "--json"], 2),
    "error document": (["show", "no-such-model", "--json"], 2),
    "models": (["models"], 0),
    "show": (["show", "nano-teacher"], 0),
    "show, json": (["show", "nano-teacher", "--json"], 0),
    "claims": (["claims", "--results", "{tmp}/none"], 0),
    "db path": (["db", "path", "--results", "{tmp}/none"], 4),
    "db rebuild": (["db", "rebuild", "--results", "{tmp}/none"], 4),
    "db check": (["db", "check", "--results", "{tmp}/none"], 4),
    "data check": (["data", "check", "--suite", "smoke", "--data", "{tmp}/mirror"], 4),
    "prune": (["prune", "--parent", "mistral-nemo-12b", "--recipe", "mistral-nemo-minitron-8b", "--plan-only"], 0),
    "eval dry run": (
        ["eval", "nano-teacher", "--suite", SUITE, "--dry-run", "--no-probe", "--results", "{tmp}/none"],
        0,
    ),
    "eval dry runs, json": (
        ["eval", "nano-teacher", "no-such-model", "--suite", SUITE, "--dry-run", "--no-probe", "--json"],
        2,
    ),
    "bench dry run": (["bench", "--model", "nano-teacher", "--dry-run"], 0),
    "doctor": (["doctor", "--results", "{tmp}/none"], 0),
}
"""Words of a command → its own exit code."""


def with_closed_pipe(words, **streams):
    """The exit code of a command whose stdout (and stderr, where asked) is a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        argv = [sys.executable, "-m", "minizoo", *words]
        kinds = {"stdout": writer, "stderr": subprocess.PIPE, **dict.fromkeys(streams, writer)}
        done = subprocess.run(argv, check=False, text=True, **kinds)
    finally:
        os.close(writer)
    assert "Broken" not in (done.stderr or "")
    return done.returncode


@pytest.mark.parametrize("command", every_command())
def test_help_of_every_command_survives(command):
    assert with_closed_pipe([*command.split(), "--help"]) == 0


@pytest.mark.parametrize("name", RUNS)
def test_every_command_ends_with_its_own_exit_code(name, tmp_path):
    words, code = RUNS[name]
    assert with_closed_pipe([word.format(tmp=tmp_path) for word in words]) == code


def test_an_evaluation_its_database_and_its_page_end_with_their_own_exit_code(tmp_path):
    results = ["--results", str(tmp_path / "r")]
    suite = ["--suite", SUITE, "--limit", "1"]
    assert with_closed_pipe(["eval", "nano-teacher", *suite, *results]) == 0
    assert with_closed_pipe(["eval", "nano-teacher", "no-such-model", *suite, *results], stderr=True) == 2
    for sub in ("path", "rebuild", "check"):
        assert with_closed_pipe(["db", sub, *results]) == 0
    assert with_closed_pipe(["report", *results, "--out", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page/index.html").exists()


def test_stderr_may_be_closed_too():
    assert with_closed_pipe(["show", "no-such-model"], stderr=True) == 2


def test_a_full_disk_behind_stdout_is_the_environments_fault():
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 (a device)
        done = subprocess.run(
            [sys.executable, "-m", "minizoo", "models"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 4
    assert done.stderr.count(b"minizoo: ") == 1
