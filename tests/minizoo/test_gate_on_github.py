"""The workflow of examples/gate-on-github.yml: each exit code of the gate leads to its own outcome."""

import os
import subprocess

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

WORKFLOW = ROOT / "examples/gate-on-github.yml"


@pytest.fixture(scope="module")
def steps():
    return YAML(typ="safe").load(WORKFLOW.read_text("utf-8"))["jobs"]["gate"]["steps"]


@pytest.fixture
def run(steps, tmp_path):
    """Run the gate's step as GitHub does, with a `minizoo` that prints a summary and exits with that code."""

    def call(code):
        stub = tmp_path / "bin" / "minizoo"
        stub.parent.mkdir()
        stub.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/words"\necho "## verdict"\nexit {code}\n')
        stub.chmod(0o755)
        (script,) = [step["run"] for step in steps if step.get("id") == "gate"]
        env = {"PATH": f"{stub.parent}:{os.environ['PATH']}"}
        env |= {name: str(tmp_path / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    return call


@pytest.mark.parametrize(
    ("code", "leaves", "verdict", "annotation"),
    [
        (0, 0, "passed", ""),
        (1, 1, "regressed", "::error title=Regressed::"),
        (3, 0, "undecided", "::warning title=Undecided::"),
        (2, 2, "broken", "::error title=Broken::minizoo gate ended with 2"),
        (4, 4, "broken", "::error title=Broken::"),
        (70, 70, "broken", "::error title=Broken::"),
    ],
)
def test_an_exit_code_is_told_by_name(run, tmp_path, code, leaves, verdict, annotation):
    done = run(code)
    assert done.returncode == leaves
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"verdict={verdict}\n"
    assert done.stdout.startswith(annotation) if annotation else done.stdout == ""
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text() == "## verdict\n"
    words = (tmp_path / "words").read_text().split()
    assert words[:3] == ["gate", "--policy", "nightly"]
    assert {"--markdown", "--junit"} <= set(words)


def test_nothing_goes_on_after_an_error_unseen(steps):
    assert not any("continue-on-error" in step for step in steps)
