"""A document that asks for several kinds of request gets what lm-eval gives it, or is refused by name before a model runs."""

import json

import pyarrow.parquet as pq
import pytest

CLASS = '''\
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean
from lm_eval.api.task import ConfigurableTask


class Mixed(ConfigurableTask):
    """As SQuAD v2: a generation and a log-likelihood of one number each, then a text of its own, the last one first."""

    VERSION = 1
    DATASET_PATH = "own/mixed"

    def __init__(self, config=None):
        super().__init__(config={"metadata": {"version": 1}, "repeats": REPEATS})

    def has_training_docs(self):
        return False

    def has_validation_docs(self):
        return True

    def has_test_docs(self):
        return False

    def validation_docs(self):
        return self.dataset["validation"]

    def doc_to_text(self, doc):
        return doc["text"]

    def doc_to_target(self, doc):
        return " the end"

    def construct_requests(self, doc, ctx, *, apply_chat_template, chat_template, **kwargs):
        made = [
            ("loglikelihood_rolling", (ctx,), 2),
            ("generate_until", (ctx, {"until": ["."], "max_gen_toks": 6}), 0),
            ("loglikelihood", (ctx, " the end"), 0),
            ("loglikelihood", (ctx, " a dog"), 1),
        ]
        return [Instance(kind, doc, arguments, idx, **kwargs) for kind, arguments, idx in made]

    def process_results(self, doc, results):
        text, (end, _), (dog, _), whole = results
        assert isinstance(text, str)
        return {"length": len(text), "end": end, "dog": dog, "whole": whole}

    def aggregation(self):
        return {"length": mean, "end": mean, "dog": mean, "whole": mean}

    def higher_is_better(self):
        return {"length": True, "end": True, "dog": False}
'''
DOCS = [
    {"text": "Once upon a time, Lily saw"},
    {"text": "The big dog ran to"},
    {"text": "One day, a boy named Tim found"},
]


@pytest.fixture
def mixed(tmp_path, monkeypatch):
    """A suite with one task, a Python class, and a mirror of its data."""

    def make(repeats=1, code=CLASS):
        folder = tmp_path / "mixed_tasks"
        folder.mkdir(exist_ok=True)
        (folder / "mixed.py").write_text(code.replace("REPEATS", str(repeats)))
        (folder / "mixed.yaml").write_text("task: mixed\nclass: !function mixed.Mixed\n")
        (tmp_path / "suite.yaml").write_text("name: own\nfolders: [mixed_tasks]\ntasks: [{task: mixed}]\n")
        held = tmp_path / "data/own/mixed/default"
        held.mkdir(parents=True, exist_ok=True)
        (held / "validation.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in DOCS))
        monkeypatch.syspath_prepend(tmp_path)
        return tmp_path / "suite.yaml", tmp_path / "data"

    return make


def run(minizoo, model, suite, data, results):
    ran = minizoo(
        "eval", "--model", model, "--suite", suite, "--data", data, "--results", results, "--device", "cpu", "--json"
    )
    assert ran.code == 0, ran.err
    (record,) = ran.json()["records"]
    return record, {score["metric"]: score for score in record["scores"]}


def test_a_generation_and_log_likelihoods_of_one_document_are_each_lm_evals(mixed, minizoo, stories, tmp_path):
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    from harness.lmeval.loading.tasks import load_tasks
    from harness.suites.suite import load_suite

    suite, data = mixed(repeats=2)
    record, scores = run(minizoo, stories, suite, data, tmp_path / "results")
    assert record["counts"]["requests"] == 4 * 2 * len(DOCS)
    lm = HFLM(pretrained=str(stories), dtype="float32", device="cpu", batch_size=1, softmax_dtype="float64")
    task = load_tasks(load_suite(str(suite)), data).tasks["mixed"].task
    theirs = evaluate(lm, {"tasks": {"mixed": task}, "groups": {}}, bootstrap_iters=0)["results"]["mixed"]
    for metric in ("length", "end", "dog", "whole"):
        assert scores[metric]["value"] == pytest.approx(theirs[f"{metric},none"], rel=1e-5), metric
    assert scores["end"]["value"] != scores["dog"]["value"]
    assert [scores[m]["higher_is_better"] for m in ("length", "dog", "whole")] == [True, False, None]
    assert record["decoding"] is None
    (samples,) = (tmp_path / "results").glob("runs/*/*/*/samples.parquet")
    responses = json.loads(pq.read_table(samples).to_pylist()[0]["responses"])
    assert [len(each) for each in responses] == [2] * 4


def test_a_killed_run_goes_on_inside_such_a_document(mixed, stories, tmp_path):
    from backends.tokenizer import HfTokenizer
    from harness.lmeval.encoding import Encoder
    from harness.lmeval.loading.tasks import load_tasks
    from harness.lmeval.prompts import build_documents
    from harness.suites.suite import load_suite

    suite, data = mixed(repeats=2)
    loaded = load_tasks(load_suite(str(suite)), data).tasks["mixed"]
    documents, total = build_documents(loaded)
    units = Encoder(HfTokenizer(stories), 512).units(loaded, documents)
    keys = [str(unit.key) for unit in units]
    assert total == len(DOCS)
    assert keys[:5] == [f"mixed/0/{place}" for place in ("0/0", "0/1", "1/0", "2/0", "3/0")]
    assert len(set(keys)) == len(units) == 5 * len(DOCS)


WHOLE = '("loglikelihood_rolling", (ctx,), 2)'
ANSWER = '("generate_until", (ctx, {"until": ["."], "max_gen_toks": 6}), 0)'


@pytest.mark.parametrize(
    ("asked", "instead", "words"),
    [
        (WHOLE, '("multi_turn", (ctx,), 2)', "a request of kind 'multi_turn', which minizoo does not run"),
        (WHOLE, '("loglikelihood", (ctx, " x", {"visual": []}), 2)', "hands over more than text"),
        (WHOLE, '("loglikelihood", (ctx, 7), 2)', "its loglikelihood request has str, int where str, str belongs"),
        (
            WHOLE,
            '("loglikelihood_rolling", ([ctx],), 2)',
            "its loglikelihood_rolling request has list where str belongs",
        ),
        (WHOLE, "1 / 0", "lm-eval cannot build its prompts from the data (ZeroDivisionError"),
        (ANSWER, '("generate_until", (ctx, {"num_beams": 4}), 0)', "asks for num_beams: 4 in generation"),
        (ANSWER, '("generate_until", (ctx, None), 0)', "request has str, NoneType where str, Mapping belongs"),
    ],
)
def test_other_requests_are_refused_in_words_and_nothing_runs(mixed, asked, instead, words, minizoo, stories, tmp_path):
    suite, data = mixed(code=CLASS.replace(asked, instead))
    ran = minizoo(
        "eval", "--model", stories, "--suite", suite, "--data", data, "--results", tmp_path, "--device", "cpu"
    )
    assert ran.code == 2
    assert words in ran.err
    assert "Task mixed" in ran.err
    assert not list(tmp_path.glob("runs/**/record.json"))


def test_a_class_whose_data_the_mirror_lacks_is_not_fetched_from_elsewhere(mixed, minizoo, stories, tmp_path):
    suite, data = mixed()
    (data / "own/mixed/default/validation.jsonl").unlink()
    ran = minizoo("eval", "--model", stories, "--suite", suite, "--data", data, "--results", tmp_path)
    assert ran.code == 4
    assert "own/mixed/default/<split>.jsonl, which are not there" in ran.err
