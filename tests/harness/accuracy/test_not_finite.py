"""A number that is none is never a score: NaN and infinite answers fail their task in words, whatever backend gave them."""

import json
import math
import shutil

import pytest
from safetensors.torch import load_file, save_file
from support.answering import AnsweringBackend

import harness.accuracy.run as accuracy
from backends.contract import Generation, Score
from harness.accuracy.finite import ENOUGH, whole_groups
from harness.lmeval.finite import is_finite, metrics_not_finite
from harness.records.record import MetricScore
from harness.store.query import query
from zoo.checkpoint.model_ref import resolve


def refuse_constant(word):
    raise AssertionError(f"{word} is no JSON")


@pytest.fixture
def evaluate(minizoo, tmp_path, monkeypatch):
    """Run `minizoo eval` of the nano teacher, or another model, on a backend that the test gives."""

    def call(backend, tasks, limit=3, model="nano-teacher"):
        if backend:
            monkeypatch.setattr(accuracy, "open_backend", lambda *_: backend)
        ran = minizoo(
            "eval", model, "--tasks", tasks, "--limit", limit, "--device", "cpu", "--results", tmp_path, "--json"
        )
        told = json.loads(ran.out, parse_constant=refuse_constant)
        return ran, {record["task"]: record for record in told.get("records", ())}

    return call


def failed(record):
    assert (record["status"], record["code"], record["scores"]) == ("failed", "scores-not-finite", [])
    return record["reason"]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task", ["nano_words", "nano_prose"])
def test_one_score_that_is_none_fails_the_task_and_no_other(evaluate, tmp_path, wrong, task):
    other = "nano_endings"

    def score(index, request):
        return Score(index, wrong if request is chosen else -1.0, False)

    backend = AnsweringBackend(score)
    whole = backend.score

    def first_of_the_task(requests):
        nonlocal chosen
        chosen = requests[0]
        yield from whole(requests)

    chosen, backend.score = None, first_of_the_task
    ran, records = evaluate(backend, f"{task},{other}")
    assert ran.code == 4
    reason = failed(records[task])
    assert "NaN or infinite in 1 of" in reason
    assert f"task {task}, document" in reason
    assert ("window 0" if task == "nano_prose" else "ending 0 (") in reason
    assert records[other]["status"] == "ok"
    rows = query(tmp_path, "SELECT task, value, lower FROM scores WHERE source = 'measured' AND value IS NOT NULL")
    assert {row["task"] for row in rows} == {other}


def test_a_token_that_is_none_counts_though_the_sum_is_a_number(evaluate):
    backend = AnsweringBackend(lambda index, _: Score(index, -1.0, True, (-1.0, math.nan)))
    _, records = evaluate(backend, "nano_words")
    failed(records["nano_words"])


def test_a_generation_from_logits_that_are_none_fails_the_task(evaluate):
    backend = AnsweringBackend(generate=lambda index, _: Generation(index, (5,), "stop", finite=index != 1))
    ran, records = evaluate(backend, "nano_sums,nano_words")
    assert ran.code == 4
    assert "logits are NaN or infinite in 1 of 3 answers" in failed(records["nano_sums"])
    assert records["nano_words"]["status"] == "ok"


def test_a_task_without_a_score_is_not_asked_to_its_end_and_the_count_is_true(evaluate):
    backend = AnsweringBackend(lambda index, _: Score(index, math.nan, False))
    _, records = evaluate(backend, "nano_words,nano_endings", limit=100)
    for record in records.values():
        assert f"in {ENOUGH} of {ENOUGH} answers so far, of " in failed(record)
    assert backend.given == 2 * ENOUGH


def test_other_tasks_are_asked_to_their_end(evaluate):
    def score(index, request):
        return Score(index, math.nan if request in wanted else -1.0 - index, False)

    backend, wanted = AnsweringBackend(score), set()
    whole = backend.score

    def told(requests):
        wanted.update(() if wanted else requests[: ENOUGH + 20])
        yield from whole(requests)

    backend.score = told
    _, records = evaluate(backend, "nano_words,nano_endings", limit=100)
    failed(records["nano_words"])
    assert records["nano_endings"]["status"] == "ok"
    assert records["nano_endings"]["scores"][0]["n"] == 100


def test_a_checkpoint_whose_training_diverged_has_no_score_of_any_kind(evaluate, tmp_path, minizoo):
    model = shutil.copytree(resolve("nano-teacher").folder, tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    weights["model.norm.weight"][3] = math.nan
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    ran, records = evaluate(None, "nano_words,nano_prose,nano_sums", limit=2, model=model)
    assert ran.code == 4
    for record in records.values():
        assert "training has diverged" in failed(record).lower()
    assert (
        "nano_words failed: The model's log-probabilities are NaN"
        in minizoo("eval", model, "--tasks", "nano_words", "--limit", 2, "--device", "cpu", "--results", tmp_path).err
    )


def test_half_precision_is_named_as_what_may_have_overflowed(evaluate):
    backend = AnsweringBackend(lambda index, _: Score(index, math.inf, False))
    backend.dtype = "float16"
    _, records = evaluate(backend, "nano_words")
    assert "try dtype bfloat16 or float32" in failed(records["nano_words"])


def test_an_answer_that_is_none_is_never_kept_for_a_next_run(evaluate, tmp_path):
    def score(index, request):
        if index == 5:
            raise KeyboardInterrupt
        return Score(index, math.nan if index < 3 else -1.0, False)

    backend = AnsweringBackend(score)
    assert evaluate(backend, "nano_words")[0].code == 130
    (log,) = tmp_path.glob("partial/*/answers.jsonl")
    assert [json.loads(line)["logprob"] for line in log.read_text().splitlines()] == [-1.0, -1.0]
    earlier = json.loads(log.read_text().splitlines()[0]) | {"logprob": math.nan}
    log.write_text(log.read_text() + json.dumps(earlier | {"key": earlier["key"][:-3] + "0/0"}) + "\n")
    ran, records = evaluate(AnsweringBackend(), "nano_words")
    assert (ran.code, records["nano_words"]["status"]) == (0, "ok")
    assert records["nano_words"]["counts"]["reused"] == 2


def test_a_perplexity_beyond_any_float_is_no_score(evaluate):
    backend = AnsweringBackend(lambda index, _: Score(index, -1e9, False))
    ran, records = evaluate(backend, "nano_prose,nano_words")
    assert ran.code == 4
    assert "the answers are finite" in failed(records["nano_prose"]).lower()
    assert records["nano_words"]["status"] == "ok"


@pytest.mark.parametrize(
    ("result", "finite"),
    [
        (Score(0, -1.0, True), True),
        (Score(0, math.nan, True), False),
        (Score(0, -1.0, True, (-0.5, -math.inf)), False),
        (Generation(0, (), "stop"), True),
        (Generation(0, (1,), "stop", finite=False), False),
    ],
)
def test_which_answers_are_numbers(result, finite):
    assert is_finite(result) is finite


def metric(name, value):
    return MetricScore(metric=name, filter="none", value=value, n=2, higher_is_better=True, chance=None)


def test_a_metric_without_a_value_is_named_and_a_groups_goes_with_it():
    leaf, other = [metric("acc", None), metric("f1", 0.5)], [metric("acc", 0.5), metric("f1", 0.5)]
    assert "acc" in metrics_not_finite(leaf)
    assert metrics_not_finite(other) is None
    assert metrics_not_finite([metric("bypass", None)]) is None
    made = whole_groups([metric("acc", 0.5), metric("f1", 0.5)], [leaf, other])
    assert [score.value for score in made] == [None, 0.5]


def test_a_metric_without_a_value_is_left_out_in_words_beside_those_that_have_one(
    evaluate, minizoo, tmp_path, monkeypatch
):
    scored = accuracy.score_task

    def without(loaded, *rest):
        scores, samples = scored(loaded, *rest)
        return [scores[0].model_copy(update={"value": None}), *scores[1:], metric("more", 1.0)], samples

    monkeypatch.setattr(accuracy, "score_task", without)
    ran, records = evaluate(AnsweringBackend(), "nano_words")
    assert ran.code == 0
    assert records["nano_words"]["scores"][0]["value"] is None
    assert records["nano_words"]["reason"].startswith("No finite value for acc")
    shown = minizoo(
        "eval", "nano-teacher", "--tasks", "nano_words", "--limit", 2, "--device", "cpu", "--results", tmp_path
    )
    assert "nano_words: No finite value for acc" in shown.err
