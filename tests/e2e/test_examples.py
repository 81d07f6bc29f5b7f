"""The files of examples/ do what their first lines say."""

import json
import os
import re
import subprocess
import sys

import pytest
from support.paths import ROOT

from harness.suites.suite import load_suite

EXAMPLES = ROOT / "examples"
MOST_LINES = 40


def python(*words, **environment):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    commands = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])  # noqa: PTH120 (not resolved)
    env = {**os.environ, "PYTHONPATH": path, "PATH": commands, **environment}
    argv = [sys.executable, *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=env)


@pytest.mark.parametrize("path", [p for p in sorted(EXAMPLES.iterdir()) if p.is_file()], ids=lambda path: path.name)
def test_an_example_is_short_and_is_in_the_list(path):
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES
    assert path.name == "README.md" or f"| `{path.name}` |" in (EXAMPLES / "README.md").read_text("utf-8")


def test_a_folder_is_evaluated_from_python_and_its_results_are_read_with_duckdb(tmp_path):
    teacher = ROOT / "zoo/nano/weights/nano-teacher"
    ran = python(EXAMPLES / "evaluate_a_folder.py", teacher, "nano_words", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "my-model nano_words acc: 0.900 over 20 documents\n"
    read = python(EXAMPLES / "read_results.py", tmp_path)
    assert read.returncode == 0, read.stderr
    assert read.stdout.startswith("my-model nano_words acc: 0.900 [")


def test_the_example_tells_the_code_of_an_error(tmp_path):
    ran = python(EXAMPLES / "evaluate_a_folder.py", tmp_path / "none", "nano_words", tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("file-missing: ")


def test_lm_evals_own_function_runs_minizoos_model():
    ran = python(EXAMPLES / "lm_eval_drop_in.py")
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^\|nano_words\|.*\|acc +\|↑ +\| *0\.85\|", ran.stdout, re.MULTILINE), ran.stdout


def test_the_suite_says_which_tasks_it_has():
    """That it runs, test_closed_pipe.py shows."""
    suite = load_suite(str(EXAMPLES / "my_suite.yaml"))
    assert [(task.task, task.shots, task.limit) for task in suite.tasks] == [
        ("nano_words", None, 20),
        ("nano_endings", 1, 20),
    ]


def test_the_added_registry_adds_its_model():
    ran = python("-m", "minizoo", "show", "my-nano", "--json", MINIZOO_REGISTRY=str(EXAMPLES / "added_registry.yaml"))
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["id"], told["architecture"]["parameters"]) == ("my-nano", 969_552)
