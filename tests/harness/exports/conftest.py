"""A run of small tasks by `minizoo eval`, its export, and the files that lm-eval itself writes of the same tasks and model."""

import sys

import pytest
from support.exported import export, opened
from support.lm_eval_runs import run_lm_eval, write_tasks


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """The YAML file of a suite of those tasks."""
    folder = tmp_path_factory.mktemp("tasks")
    yield write_tasks(folder, "exported_tasks")
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def results(stories, suite, tmp_path_factory):
    from minizoo.cli import run

    folder = tmp_path_factory.mktemp("results")
    asked = ["eval", stories, "--suite", suite, "--results", folder, "--device", "cpu", "--dtype", "float32"]
    assert run([str(word) for word in asked]) == 0
    return folder


@pytest.fixture(scope="session")
def exported(results, tmp_path_factory):
    """The run's files in the form of lm-eval, and what was said of them."""
    return export(results, tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="session")
def theirs(stories, suite, tmp_path_factory):
    """The folder that lm-eval's own evaluator and tracker write of the same tasks and model."""
    from harness.lmeval.model import MinizooLM

    out = tmp_path_factory.mktemp("theirs")
    run_lm_eval(MinizooLM(pretrained=str(stories), dtype="float32", device="cpu"), suite, out)
    return opened(next(out.iterdir()))
