"""A run of small tasks by lm-eval's own evaluator, its files, and copies of them to be damaged."""

import shutil
import sys

import pytest
from support.lm_eval_runs import LEAVES, run_lm_eval, write_tasks


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """The YAML file of a suite of those tasks."""
    folder = tmp_path_factory.mktemp("tasks")
    yield write_tasks(folder, "imported_tasks")
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def lm(stories):
    from harness.lmeval.model import MinizooLM

    return MinizooLM(pretrained=str(stories), dtype="float32", device="cpu")


@pytest.fixture(scope="session")
def written(lm, suite, tmp_path_factory):
    """A folder as lm-eval's --output_path leaves it, of a run of every document."""
    out = tmp_path_factory.mktemp("out")
    run_lm_eval(lm, suite, out)
    return out


@pytest.fixture
def files(written, tmp_path):
    """A copy of the folder's files, by task; `results` is the results file."""
    folder = tmp_path / "model"
    shutil.copytree(next(written.iterdir()), folder)
    (found,) = folder.glob("results_*.json")
    return {"results": found} | {name: next(folder.glob(f"samples_{name}_*")) for name in LEAVES}
