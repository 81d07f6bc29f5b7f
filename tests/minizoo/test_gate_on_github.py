"""The workflow of examples/gate-on-github.yml: each exit code of the gate leads to its own outcome."""

import pytest
from ruamel.yaml import YAML
from support.github_step import run_step
from support.paths import ROOT

WORKFLOW = ROOT / "examples/gate-on-github.yml"


@pytest.fixture(scope="module")
def steps():
    return YAML(typ="safe").load(WORKFLOW.read_text("utf-8"))["jobs"]["gate"]["steps"]


@pytest.fixture
def run(tmp_path):
    """Run the gate's step as GitHub does, with a `minizoo` that prints a summary and exits with that code."""

    def call(code):
        stub = f'echo "$@" > "{tmp_path}/words"\necho "## verdict"\nexit {code}\n'
        return run_step(WORKFLOW, "gate", "gate", tmp_path, stub)

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
