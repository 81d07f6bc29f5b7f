"""The examples of fleets: what they ask of their schedulers, and a night through the commands that stand in them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.night_results import read_results
from support.paths import ROOT

EXAMPLES = ROOT / "examples"
PLAN = f"""\
schema: minizoo.nightly/1
name: short
models: [nano-teacher, nano-width]
suites: [{EXAMPLES / "my_suite.yaml"}]
"""


def loaded(name):
    return YAML(typ="safe").load((EXAMPLES / name).read_text("utf-8"))


def called(words, folder, **env):
    """Run it where `minizoo` is this environment's, as a scheduler would; raises where it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = subprocess.run(
        words, cwd=folder, env={**os.environ, "PATH": path, **env}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{words}: {ran.returncode}: {ran.stdout}{ran.stderr}"


@pytest.fixture
def shared(tmp_path):
    """A folder with a plan of two short jobs."""
    (tmp_path / "nightly.yaml").write_text(PLAN)
    return tmp_path


def is_whole(results):
    night = read_results(results)
    assert night.unfinished == ()
    assert [job.status for job in night.outcome.jobs] == ["done", "done"]
    assert len(night.runs) == 2
    return True


def test_the_script_for_slurm_is_sound():
    if (shellcheck := shutil.which("shellcheck")) is None:
        pytest.skip("shellcheck is not installed")
    ran = subprocess.run([shellcheck, EXAMPLES / "nightly.sbatch"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("jobs", "arrays"),
    [
        ([(None, "eval"), (None, "eval")], ["--array=1,2"]),
        ([("h100-pcie", "eval"), ("l4", "eval"), ("l4", "eval")], ["--array=1 --gpus=h100-pcie:1", "--array=2,3 --gpus=l4:1"]),
        ([("l4", "eval"), ("l4", "bench")], ["--array=1 --gpus=l4:1", "--array=2 --gpus=l4:1 --exclusive"]),
    ],
)  # fmt: skip
def test_slurm_is_asked_for_an_array_a_kind_of_gpu(tmp_path, jobs, arrays):
    """With stand-ins for sbatch and for what the plan compiles to; on the real ones, test_slurm_night.py."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    emitted = json.dumps({"jobs": [{"accelerator": gpu, "kind": kind} for gpu, kind in jobs]})
    stand_ins = {
        "minizoo": f"echo '{emitted}' > \"${{@: -1}}\"",
        "sbatch": f'echo "$*" >> {tmp_path}/asked; wc -l < {tmp_path}/asked',
    }
    for name, does in stand_ins.items():
        (bin_ / name).write_text(f"#!/bin/bash\n{does}\n")
        (bin_ / name).chmod(0o755)
    script = EXAMPLES / "nightly.sbatch"
    env = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"}
    subprocess.run(["bash", script, "nightly.yaml", "results"], cwd=tmp_path, env=env, check=True)
    *asked, verdict = (tmp_path / "asked").read_text().splitlines()
    assert asked == [f"--parsable {array} {script}" for array in arrays]
    after = ":".join(str(number) for number, _ in enumerate(arrays, 1))
    assert verdict.startswith(f"--parsable --dependency=afterany:{after} ")
    assert verdict.endswith(f"--plan '{tmp_path}/nightly.yaml' --results '{tmp_path}/results' --collect")


def test_a_night_by_the_pods_of_kubernetes(shared):
    jobs, verdict = loaded("nightly-k8s.yaml")["items"]
    called(["minizoo", "nightly", "--plan", "nightly.yaml", "--emit", "jobs.json"], shared)
    (pod,) = jobs["spec"]["template"]["spec"]["containers"]
    for index in range(jobs["spec"]["completions"]):
        env = {one["name"]: one["value"] for one in pod["env"]} | {"JOB_COMPLETION_INDEX": str(index)}
        called(pod["command"], shared, **env)
    (judge,) = verdict["spec"]["template"]["spec"]["containers"]
    called(judge["command"], shared)
    assert is_whole(shared / "results")


def test_kubernetes_begins_a_lost_pod_again_and_lets_no_job_stop_another():
    jobs, verdict = (item["spec"] for item in loaded("nightly-k8s.yaml")["items"])
    assert jobs["completionMode"] == "Indexed"
    assert jobs["backoffLimitPerIndex"] > 0
    numbers = {one["name"]: one["value"] for one in jobs["template"]["spec"]["containers"][0]["env"]}["JOBS"].split()
    assert jobs["maxFailedIndexes"] == jobs["completions"] == jobs["parallelism"] == len(numbers)
    assert "podFailurePolicy" not in jobs
    assert {jobs["template"]["spec"]["restartPolicy"], verdict["template"]["spec"]["restartPolicy"]} == {"Never"}
    assert verdict["backoffLimit"] == 0


class Workflow:
    """The steps of nightly-matrix-on-github.yml, each job in a folder of its own, with artifacts carried between them.

    All runners of GitHub check out to one path, and a plan is known by its place too: so the folder is there, and then away.
    """

    def __init__(self, folder):
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.jobs = loaded("nightly-matrix-on-github.yml")["jobs"]
        self.values = {}

    def run(self, name, machine, **matrix):
        """Run the steps of a job on a machine."""
        here = self.folder / "workspace"
        here.mkdir()
        values = self.values | {f"matrix.{key}": value for key, value in matrix.items()}
        values |= {f"env.{key}": filled(value, values) for key, value in self.jobs[name].get("env", {}).items()}
        for step in self.jobs[name]["steps"]:
            asked = {key: filled(str(value), values) for key, value in step.get("with", {}).items()}
            action = step.get("uses", "").partition("@")[0]
            if action == "actions/checkout":
                shutil.copy(self.folder / "nightly.yaml", here)
            elif action == "actions/upload-artifact":
                self._upload(here, **asked)
            elif action == "actions/download-artifact":
                self._download(here, **asked)
            elif "minizoo " in step.get("run", ""):
                script = filled(step["run"], values).replace("pip install minizoo && ", "")
                env = {"PLAN": "nightly.yaml", "GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary"}
                called(["bash", "-eo", "pipefail", "-c", script], here, **env)
        return here.rename(self.folder / machine)

    def _upload(self, here, name, path, overwrite):
        """As the action does: from the folder that holds all its paths, or from before the first wildcard; no hidden files."""
        assert overwrite
        for one in path.split("\n"):
            base, wildcard, _ = one.partition("/*")
            root = here / base if wildcard else here
            for file in root.rglob("*") if wildcard else [here / one, *(here / one).rglob("*")]:
                inside = file.relative_to(root)
                if file.is_file() and not any(part.startswith(".") for part in inside.parts):
                    target = self.artifacts / name / inside
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, target)

    def _download(self, here, name=None, pattern=None, path=".", **_merged):
        for artifact in self.artifacts.glob(name or pattern):
            shutil.copytree(artifact, here / path, dirs_exist_ok=True)


def filled(text, values):
    """GitHub's expressions, as far as the steps use them."""
    return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: str(values[found[1]]), text)


def test_a_night_by_the_matrix_of_github_on_machines_that_share_nothing(shared):
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    workflow = Workflow(shared)
    workflow.values = {"github.run_id": "1", "github.run_attempt": "1"}
    planned = workflow.run("plan", "planner")
    outputs = dict(line.split("=", 1) for line in (planned / "output").read_text().splitlines())
    workflow.values |= {f"needs.plan.outputs.{name}": value for name, value in outputs.items()}
    rows = json.loads(outputs["matrix"])["include"]
    assert [row["gpu"] for row in rows] == [None, None]
    for number, row in enumerate(rows):
        workflow.run("job", f"runner-{number}", **row)
    judged = workflow.run("verdict", "judge")
    assert (judged / "summary").read_text()
    assert is_whole(judged / "results")


def test_the_matrix_hides_no_failure():
    jobs = loaded("nightly-matrix-on-github.yml")["jobs"]
    assert jobs["job"]["strategy"]["fail-fast"] is False
    assert "always()" in jobs["verdict"]["if"]
    assert not any("continue-on-error" in step for job in jobs.values() for step in job["steps"])
