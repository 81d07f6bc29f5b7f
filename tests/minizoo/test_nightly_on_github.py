"""The workflow of examples/nightly-on-github.yml: each exit code of a night has its own outcome; the page's plan is one."""

import json
import re

import pytest
from support.github_step import run_step
from support.night_plans import write_plan
from support.paths import ROOT

from harness.fleet.plan.loading import load_plan

WORKFLOW = ROOT / "examples/nightly-on-github.yml"


@pytest.fixture
def run(tmp_path):
    """Run the night's step as GitHub does, with a `minizoo` that ends with that code, and has a report or not."""

    def call(code, ended=True):
        report = tmp_path / "night" / "report"
        report.mkdir(parents=True)
        (report / "gate.md").write_text("## verdict\n")
        told = json.dumps({"folder": str(report.parent)} if ended else {"error": {"code": "busy"}})
        return run_step(WORKFLOW, "night", "night", tmp_path, f"echo '{told}'\nexit {code}\n")

    return call


@pytest.mark.parametrize(
    ("code", "leaves", "annotation"),
    [
        (0, 0, ""),
        (1, 1, "::error title=Regressed::"),
        (3, 0, "::warning title=Undecided::"),
        (4, 4, "::error title=Broken::A job failed"),
        (70, 70, "::error title=Broken::minizoo nightly ended with 70"),
    ],
)
def test_an_exit_code_is_told_by_name_beside_the_report(run, tmp_path, code, leaves, annotation):
    done = run(code)
    assert done.returncode == leaves, done.stderr
    assert done.stdout.startswith(annotation) if annotation else done.stdout == ""
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text() == "## verdict\n"
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"report={tmp_path}/night/report\n"


@pytest.mark.parametrize("code", [2, 130])
def test_a_night_that_did_not_end_has_no_report_and_is_told(run, tmp_path, code):
    done = run(code, ended=False)
    assert done.returncode == code
    assert done.stdout.startswith("::error")
    assert not (tmp_path / "GITHUB_OUTPUT").exists()


def test_the_plan_of_the_page_is_one(tmp_path):
    page = (ROOT / "docs/nightly.md").read_text("utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    plan = load_plan(write_plan(tmp_path, text)).plan
    assert len(plan.models) == 4
    keys = {field.alias or name for name, field in type(plan).model_fields.items()}
    assert all(f"| `{key}` |" in page for key in keys)
