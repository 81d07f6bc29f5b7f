"""What the benchmark of the drop-in takes for equal files, and what not."""

import copy

import pytest

from benchmarks.lm_eval_pair import Output, compare, rounding

CONFIG = {"num_hidden_layers": 5, "hidden_size": 64, "vocab_size": 512}
CHOICES = [" a word", " another", " the third"]


def bound(text):
    return rounding(CONFIG, len(text.split()))


def row(doc_id, resps, arguments, **metrics):
    shown = {f"gen_args_{i}": {"arg_0": context, "arg_1": last} for i, (context, last) in enumerate(arguments)}
    asked = {"doc_id": doc_id, "doc_hash": "d", "prompt_hash": "p", "target_hash": "t", "arguments": shown}
    return {**asked, "filter": "none", "resps": resps, "metrics": list(metrics), **metrics}


@pytest.fixture
def output():
    """A task of choices, a perplexity and a generation, two documents each."""
    choices = [[[str(-12.5 - i), "False"]] for i in range(3)]
    samples = {
        "choice": [row(i, choices, [("Q", text) for text in CHOICES], acc=float(i), share=0.25) for i in range(2)],
        "pages": [row(i, [["-2000.5"]], [("", "word " * 400)], perplexity=[-2000.5, 400]) for i in range(2)],
        "text": [row(i, [["said"]], [("Q", {"until": ["."]})], f1=0.3) for i in range(2)],
    }
    results = {
        "choice": {
            "alias": "choice",
            "acc,none": 0.5,
            "acc_stderr,none": 0.5,
            "share,none": 0.25,
            "share_stderr,none": 0.1,
        },
        "pages": {"alias": "pages", "perplexity,none": 148.5, "perplexity_stderr,none": "N/A"},
        "text": {"alias": "text", "f1,none": 0.3},
    }
    kinds = {"choice": "multiple_choice", "pages": "loglikelihood_rolling", "text": "generate_until"}
    configs = {name: {"output_type": kind} for name, kind in kinds.items()}
    return Output({"results": results, "configs": configs}, samples)


def equal(output, change):
    other = copy.deepcopy(output)
    change(other)
    return {task["task"]: task["equal"] for task in compare(output, other, bound)}


ALL = {"choice": True, "pages": True, "text": True}


def rounded(other):
    other.samples["choice"][0]["resps"][1][0][0] = "-13.50004"
    other.samples["pages"][1]["resps"] = [["-2000.5008"]]
    other.results["results"]["choice"]["share,none"] = 0.2500001
    other.results["results"]["pages"]["perplexity,none"] = 148.50001


@pytest.mark.parametrize("change", [lambda other: None, rounded], ids=["the same", "rounded"])
def test_what_rounding_explains_is_equal(output, change):
    assert equal(output, change) == ALL


@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("choice", lambda o: o.samples["choice"][0]["resps"][2][0].__setitem__(0, "-14.51")),
        ("choice", lambda o: o.samples["choice"][0]["resps"][2][0].__setitem__(1, "True")),
        ("choice", lambda o: o.samples["choice"][0].update(acc=1.0)),
        ("choice", lambda o: o.samples["choice"][0].update(prompt_hash="another")),
        ("choice", lambda o: o.results["results"]["choice"].update({"acc,none": 0.5000000001})),
        ("choice", lambda o: o.results["results"]["choice"].update({"share,none": 0.2501})),
        ("pages", lambda o: o.samples["pages"][0].update(resps=[["-2000.6"]])),
        ("pages", lambda o: o.results["results"]["pages"].update({"perplexity,none": 148.502})),
        ("pages", lambda o: o.results["results"]["pages"].pop("perplexity,none")),
        ("text", lambda o: o.samples["text"][0].update(resps=[["said so"]])),
        ("text", lambda o: o.results["results"]["text"].update({"f1,none": 0.30000001})),
    ],
    ids=[
        "log p",
        "greedy",
        "a document",
        "question",
        "count",
        "share",
        "page",
        "perplexity",
        "no metric",
        "text",
        "metric of texts",
    ],
)
def test_one_number_that_rounding_does_not_explain_is_seen(output, task, change):
    assert equal(output, change) == {**ALL, task: False}


def test_a_likelier_answer_that_changes_is_a_flip(output):
    for each in output.samples["choice"]:
        each["resps"] = [[["-12.5", "False"]], [["-12.50001", "False"]], [["-13", "False"]]]
    other = copy.deepcopy(output)
    other.samples["choice"][1]["resps"][0][0][0] = "-12.50002"
    (choice, *_) = compare(output, other, bound)
    assert (choice["flips"], choice["equal"]) == (1, False)
