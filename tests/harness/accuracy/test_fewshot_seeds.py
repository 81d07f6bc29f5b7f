"""`--fewshot-seeds N`: a score with other examples, its spread on record."""

from statistics import stdev

import pytest

from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents
from harness.store.query import query
from harness.suites.suite import suite_of

SMALL = ["--limit", 12, "--overflow", "truncate", "--device", "cpu", "--shots", 2]


@pytest.fixture
def evaluate(minizoo, stories, data, tmp_path):
    def call(*args, results="results"):
        ran = minizoo(
            "eval", "--model", stories, "--data", data, "--results", tmp_path / results, *SMALL, *args, "--json"
        )
        assert ran.code == 0, ran.err
        return ran.json()

    return call


def test_every_draw_is_scored_and_lm_evals_own_comes_first(evaluate, tmp_path):
    alone = evaluate("--tasks", "winogrande", results="alone")
    drawn = evaluate("--tasks", "winogrande", "--fewshot-seeds", 3)
    (one,), (three,) = alone["records"][0]["scores"], drawn["records"][0]["scores"]
    assert one["draws"] == []
    assert len(three["draws"]) == 3
    assert three["draws"][0] == three["value"] == one["value"]
    assert drawn["computed"] == 3 * alone["computed"]
    (row,) = query(tmp_path / "results", "SELECT * FROM scores WHERE source = 'measured'")
    assert row["fewshot_draws"] == 3
    assert row["fewshot_sd"] == pytest.approx(stdev(three["draws"]))
    assert query(tmp_path / "results", "SELECT count(*) AS n FROM samples") == [{"n": 12}]


def test_a_draws_score_is_the_one_that_its_seed_gives(evaluate, data, stories):
    """The second draw, against a plain run over the prompts of seed 1235."""
    from backends.contract import Options
    from backends.opening import open_backend
    from backends.tokenizer import HfTokenizer
    from harness.lmeval.encoding import Encoder
    from zoo.checkpoint.locate import locate

    drawn = evaluate("--tasks", "winogrande", "--fewshot-seeds", 2)
    (loaded,) = load_tasks(suite_of(["winogrande"], 2), data, 12).tasks.values()
    documents, _ = build_documents(loaded, 1235)
    units = Encoder(HfTokenizer(stories), 512).units(loaded, documents)
    backend = open_backend(locate(str(stories)), "hf", Options("cpu", "float32"))
    sums = {str(units[s.index].key): s.logprob for s in backend.score([unit.request for unit in units])}
    right = 0
    for document in documents:
        first, second = (sums[f"winogrande/{document.doc_id}/{i}/0"] for i in (0, 1))
        right += (second > first) == (document.doc["answer"] == "2")
    assert drawn["records"][0]["scores"][0]["draws"][1] == pytest.approx(right / 12)


@pytest.mark.parametrize("task", ["mmlu_anatomy", "truthfulqa_mc2"])
def test_a_task_whose_examples_are_not_drawn_is_run_once(minizoo, stories, data, task):
    argv = [
        "eval",
        "--model",
        stories,
        "--tasks",
        task,
        "--limit",
        3,
        "--data",
        data,
        "--dry-run",
        "--no-probe",
        "--json",
    ]
    once, thrice = (minizoo(*argv, "--fewshot-seeds", n).json()["tasks"][0] for n in (1, 3))
    assert once["requests"] == thrice["requests"]


def test_the_spread_is_shown(minizoo, stories, data, tmp_path):
    ran = minizoo(
        "eval", "--model", stories, "--data", data, "--results", tmp_path, *SMALL, "--tasks", "winogrande",
        "--fewshot-seeds", 2,
    )  # fmt: skip
    assert "few-shot sd" in ran.out
    assert " of 2" in ran.out
