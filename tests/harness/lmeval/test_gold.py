"""A document's right answer, its log-probability, length and cluster stand in its row, as lm-eval's own judgement has them."""

import hashlib
import json
import random

import pytest
from support.quiz import quiz_suite

from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents
from harness.lmeval.scores import score_task
from harness.store.query import query
from harness.suites.suite import load_suite

FOUR = [{"q": f"Lily saw {n} dogs. She", "choices": ["ran", "sat", "hid", "ate"], "gold": n % 4} for n in range(12)]
BOTH = [{"q": f"{n} dogs", "choices": [f"One {n}", f"Two {n}"], "end": "ran off.", "gold": n % 2} for n in range(12)]


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """The rows of a task of these documents, whose answers are drawn."""

    def score(docs, metrics=("acc",), name="quiz", **keys):
        suite = quiz_suite(tmp_path, monkeypatch, docs, metrics, name, **keys)
        (loaded,) = load_tasks(load_suite(suite), None).tasks.values()
        documents, _ = build_documents(loaded)
        draws = random.Random(7)
        for instance in (instance for document in documents for instance in document.instances):
            instance.resps = [(draws.uniform(-9, 0), draws.random() < 0.5)]
        return score_task(loaded, documents)[1]

    return score


def answers(row):
    return [responses[0][0] for responses in json.loads(row["responses"])]


def likeliest(row, choices):
    logprobs = answers(row)[:choices]
    return logprobs.index(max(logprobs))


SHAPES = {
    "a place": (FOUR, {}),
    "a text among the choices": ([{**doc, "gold": doc["choices"][doc["gold"]]} for doc in FOUR], {}),
    "a list of one": ([{**doc, "gold": [doc["gold"]]} for doc in FOUR], {}),
    "several inputs": (BOTH, {"doc_to_text": "!function own.place", "doc_to_target": "end"}),
    "asked without a context too": (FOUR, {"metrics": ("acc", "acc_mutual_info")}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_likeliest_answer_is_the_gold_one_exactly_where_lm_eval_says_so(shape, rows):
    docs, keys = SHAPES[shape]
    found = [row for row in rows(docs, **keys) if row["metric"] == "acc"]
    for row, doc in zip(found, docs, strict=True):
        assert row["gold"] is not None
        assert row["value"] == float(likeliest(row, len(doc["choices"])) == row["gold"])
        assert row["gold_logprob"] == answers(row)[row["gold"]]
    assert {row["value"] for row in found} == {0.0, 1.0}


@pytest.mark.parametrize(
    ("docs", "keys"),
    [
        ([FOUR[0], {**FOUR[1], "gold": 4}, {**FOUR[2], "gold": -1}], {}),
        ([{**FOUR[0], "gold": "ran"}, {**FOUR[1], "gold": "flew"}], {}),
        ([{**FOUR[0], "gold": [0, 2]}, {**FOUR[1], "gold": [1, 2]}], {}),
        (FOUR[:2], {"process_results": "!function own.judge"}),
    ],
)
def test_what_has_no_one_right_answer_by_lm_evals_rule_has_none_here(docs, keys, rows):
    assert {(row["gold"], row["gold_logprob"]) for row in rows(docs, **keys)[1:]} == {(None, None)}


def test_the_one_request_of_a_log_likelihood_task_is_the_right_answers(rows):
    docs = [{"q": "Once upon a", "end": " time"}, {"q": "Lily saw a big", "end": " dog."}]
    found = rows(docs, ("acc", "perplexity"), output_type="loglikelihood", doc_to_target="end", doc_to_choice=None)
    assert [(row["gold"], row["gold_logprob"]) for row in found] == [(None, answers(row)[0]) for row in found]
    assert [row["length"] for row in found if row["metric"] == "acc"] == [len(doc["q"] + doc["end"]) for doc in docs]


def test_length_is_that_of_the_longest_request_and_the_cluster_the_tasks(rows):
    docs = [
        {**doc, "passage": f"p{at // 3}", "choices": ["no", "certainly"]} | {"gold": 1} for at, doc in enumerate(FOUR)
    ]
    found = rows(docs, name="boolq")
    assert [row["cluster"] for row in found] == [doc["passage"] for doc in docs]
    assert [row["length"] for row in found] == [len(doc["q"] + " " + "certainly") for doc in docs]


def test_a_real_evaluation_writes_them(minizoo, tmp_path):
    has = {"nano_endings": (True, True), "nano_cloze": (True, True), "nano_prose": (False, False)}
    asked = ["--tasks", ",".join(has), "--limit", 3, "--results", tmp_path, "--device", "cpu"]
    ran = minizoo("eval", "nano-teacher", *asked)
    assert ran.code == 0, ran.err
    rows = query(tmp_path, "SELECT task, metric, value, gold, gold_logprob, length, responses FROM samples")
    assert {row["task"] for row in rows} == set(has)
    for row in rows:
        assert (row["gold"] is not None, row["gold_logprob"] is not None) == has[row["task"]]
        assert row["length"] > 0
        if row["metric"] == "acc":
            assert row["value"] == float(likeliest(row, len(answers(row))) == row["gold"])


def test_a_row_says_what_the_model_was_asked(rows):
    found = rows(FOUR)[0]
    assert hashlib.sha256(found["prompt"].encode()).hexdigest() == found["prompt_hash"]
    assert FOUR[0]["q"] in found["prompt"]
    assert [choice.strip() for choice in json.loads(found["choices"])] == FOUR[0]["choices"]
