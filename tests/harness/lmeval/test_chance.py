"""What guessing gives is computed from the choices of the documents, whatever else lm-eval asks about them."""

import pytest
from support.quiz import quiz_suite

from harness.lmeval.chance import chance_of, group_chance
from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents
from harness.records.record import MetricScore
from harness.suites.suite import load_suite

FOUR = [{"q": f"Lily saw {n} dogs. She", "choices": ["ran", "sat", "hid", "ate"], "gold": n % 4} for n in range(8)]


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """The path of a suite with one task of these documents and keys; its data is a file of its own."""

    def make(docs, metrics, **keys):
        return quiz_suite(tmp_path, monkeypatch, docs, metrics, **keys)

    return make


@pytest.fixture
def chances(suite):
    """Metric → chance, of a task of these documents and keys."""

    def compute(docs, metrics, **keys):
        (loaded,) = load_tasks(load_suite(suite(docs, metrics, **keys)), None).tasks.values()
        documents, _ = build_documents(loaded)
        return {metric: chance_of(loaded, metric, documents) for metric in metrics}

    return compute


def test_asking_each_ending_twice_halves_no_chance(suite, minizoo, stories, tmp_path):
    path = suite(FOUR, ["acc", "acc_norm", "acc_mutual_info"])
    ran = minizoo("eval", "--model", stories, "--suite", path, "--results", tmp_path, "--device", "cpu", "--json")
    assert ran.code == 0, ran.err
    (record,) = ran.json()["records"]
    assert record["counts"]["requests"] == 2 * 4 * len(FOUR)
    assert {s["metric"]: s["chance"] for s in record["scores"]} == dict.fromkeys(
        ["acc", "acc_norm", "acc_mutual_info"], 0.25
    )


def test_every_accuracy_has_it_and_what_has_none_is_absent(chances):
    metrics = [
        "acc",
        "acc_norm",
        "acc_bytes",
        "acc_mutual_info",
        "exact_match",
        "f1",
        "likelihood",
        "brier_score",
        "mcc",
    ]
    assert chances(FOUR, metrics) == {
        **dict.fromkeys(["acc", "acc_norm", "acc_bytes", "acc_mutual_info"], 0.25),
        "exact_match": None,
        "f1": None,
        "likelihood": None,
        "brier_score": 0.75,  # (1 - 1/4)^2 + 3/16
        "mcc": 0.0,
    }


def test_documents_with_unlike_numbers_of_choices_count_alike(chances):
    docs = [{"q": "a", "choices": ["x", "y"], "gold": 1}, {"q": "b", "choices": ["p", "q", "r", "s", "t"], "gold": 0}]
    assert chances(docs, ["acc", "acc_mutual_info"]) == dict.fromkeys(["acc", "acc_mutual_info"], (1 / 2 + 1 / 5) / 2)


def test_any_of_several_right_choices_counts(chances):
    docs = [
        {"q": "a", "choices": ["x", "y", "z", "w"], "gold": [0, 2]},
        {"q": "b", "choices": ["x", "y"], "gold": [1, 1]},
    ]
    assert chances(docs, ["acc"]) == {"acc": (2 / 4 + 1 / 2) / 2}


@pytest.mark.parametrize(("gold", "chance"), [(-1, 0.0), (4, 0.0), (2, 0.25)])
def test_a_label_that_is_no_choice_is_never_guessed(gold, chance, chances):
    assert chances([FOUR[0], {**FOUR[1], "gold": gold}], ["acc"]) == {"acc": (0.25 + chance) / 2}


def test_a_label_in_words_is_found_among_the_choices(chances):
    docs = [{**FOUR[0], "gold": "hid"}, {**FOUR[1], "gold": "flew"}]
    assert chances(docs, ["acc"], doc_to_target="gold") == {"acc": (1 / 4 + 0) / 2}


def test_with_several_inputs_the_choices_are_the_inputs(chances):
    docs = [
        {"q": 0, "choices": ["Lily", "Tim", "Max"], "gold": "ran away"},
        {"q": 2, "choices": ["a", "b", "c"], "gold": "x"},
    ]
    assert chances(docs, ["acc"], doc_to_text="q") == {"acc": pytest.approx(1 / 3)}


def test_what_a_task_judges_itself_is_unknown(chances):
    assert chances(FOUR, ["acc"], process_results="!function own.judge") == {"acc": None}


def test_another_aggregate_of_the_same_metric_is_unknown(suite):
    from lm_eval.api.metrics import median

    (loaded,) = load_tasks(load_suite(suite(FOUR, ["acc"])), None).tasks.values()
    documents, _ = build_documents(loaded)
    loaded.task._aggregation_list["acc"] = median
    assert chance_of(loaded, "acc", documents) is None


def test_a_group_weighs_chance_as_it_weighs_scores():
    def leaf(n, chance):
        return MetricScore(metric="acc", filter="none", value=0.5, n=n, higher_is_better=True, chance=chance)

    below = [leaf(30, 0.5), leaf(10, 0.1)]
    assert group_chance(below, weighted=True) == pytest.approx(0.4)
    assert group_chance(below, weighted=False) == pytest.approx(0.3)
    assert group_chance([*below, leaf(5, None)], weighted=True) is None
