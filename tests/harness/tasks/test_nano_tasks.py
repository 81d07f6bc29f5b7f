"""The nano suite's tasks, loaded as lm-eval loads them: they are whole, right, and held out from training."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

import harness
import zoo.nano
from zoo.nano import corpus
from zoo.nano.kinds import code, sums
from zoo.nano.world import held_out

FOLDER = Path(harness.__file__).parent / "tasks" / "nano"
SHIPPED = Path(zoo.nano.__file__).parent / "weights" / "nano-teacher"
TASKS = ("nano_words", "nano_endings", "nano_cloze", "nano_sums", "nano_prose", "nano_code")
CHOICE_TASKS = TASKS[:3]
LONGEST_PROMPT = 320


@pytest.fixture(scope="module")
def tasks() -> dict[str, Any]:
    from lm_eval.tasks import TaskManager

    loaded = TaskManager(include_path=[str(FOLDER)], include_defaults=False).load(list(TASKS))["tasks"]
    for task in loaded.values():
        task.set_fewshot_seed(1234)
        task.build_all_requests()
    return loaded


@pytest.fixture(scope="module")
def training_text() -> str:
    """Every document that the shipped teacher read, in order."""
    note = json.loads((SHIPPED / "minizoo.json").read_text())
    stages = (
        itertools.islice(corpus.documents(s["seed"], mixture=corpus.MIXTURES[s["mixture"]]), s["documents"])
        for s in note["stages"]
    )
    text = "\n\n".join(itertools.chain.from_iterable(stages))
    assert len(text) > 2 * note["tokens"], "two characters a token at the least"
    return text


def docs(task: Any) -> list[dict[str, Any]]:
    return list(task.eval_docs)


@pytest.mark.parametrize("name", TASKS)
def test_task_has_its_items_all_different_and_all_held_out(tasks: dict[str, Any], name: str):
    keys = [doc["key"] for doc in docs(tasks[name])]
    assert len(keys) == len(set(keys)) == tasks[name].config.metadata["items"]
    assert all(map(held_out, keys))
    assert not any(held_out(doc["key"]) for doc in tasks[name].dataset["train"])


def test_no_decisive_content_of_a_test_item_is_in_the_training_text(tasks: dict[str, Any], training_text: str):
    for name in TASKS:
        if name == "nano_sums":
            continue
        for doc in docs(tasks[name]):
            assert doc["key"] not in training_text, name


def test_no_step_of_a_test_sum_is_in_the_training_text(tasks: dict[str, Any], training_text: str):
    """Each addition of two numbers, whatever their order; what is added in a story that is not worked out, too."""
    step = re.compile(r"(\d+) \+ (\d+) =")
    tested = {sums.key(*map(int, pair)) for doc in docs(tasks["nano_sums"]) for pair in step.findall(doc["answer"])}
    seen = {sums.key(*map(int, pair)) for pair in step.findall(training_text)}
    assert len(seen) > 1000
    assert not tested & seen


def test_training_text_shows_the_tests_format(tasks: dict[str, Any], training_text: str):
    """A shot as lm-eval renders it is a form that training text may take: the model knows the format."""
    for name in ("nano_words", "nano_endings", "nano_sums"):
        context = tasks[name].instances[0].args[0]
        shots = context.split("\n\n")[:-1]
        assert len(shots) == tasks[name].config.num_fewshot
        for shot in shots:
            assert re.sub(r"[A-Za-z]+|\d+", "w", shot) in re.sub(r"[A-Za-z]+|\d+", "w", training_text[:2_000_000])


@pytest.mark.parametrize("name", CHOICE_TASKS)
def test_gold_choice_is_the_answer_and_no_position_is_favoured(tasks: dict[str, Any], name: str):
    rows = docs(tasks[name])
    assert all(row["choices"][row["gold"]] == row["answer"] for row in rows)
    choices = len(rows[0]["choices"])
    chance = tasks[name].config.metadata["chance"]
    assert chance == 1 / choices
    for position in range(choices):
        share = sum(row["gold"] == position for row in rows) / len(rows)
        assert abs(share - chance) < 0.1


def test_cloze_contexts_differ_by_the_option_and_share_the_continuation(tasks: dict[str, Any]):
    task = tasks["nano_cloze"]
    for first, second in zip(task.instances[::2], task.instances[1::2], strict=True):
        assert first.args[1] == second.args[1]
        assert first.args[0] != second.args[0]
        gold = (first, second)[first.doc["gold"]]
        assert (gold.args[0] + gold.args[1]).endswith(first.doc["key"])


def test_sums_targets_are_true_and_found_by_both_filters(tasks: dict[str, Any]):
    task = tasks["nano_sums"]
    for doc in docs(task):
        value = str(sum(map(int, re.findall(r"\d+", doc["prompt"]))))
        assert doc["answer"].endswith(f"\n#### {value}")
        for ensemble in task._filters:
            assert list(_filtered(ensemble, doc["answer"])) == [value]
            assert task.process_results(doc, [value])["exact_match"] == 1.0
            assert task.process_results(doc, [str(int(value) + 1)])["exact_match"] == 0.0


def _filtered(ensemble: Any, answer: str) -> list[str]:
    responses: Any = [[answer]]
    for step in ensemble.filters:
        responses = step().apply(responses, [{}])
    return list(responses)


def test_code_is_judged_by_running_it_and_counted_by_human_evals_estimator(tasks: dict[str, Any]):
    from harness.sandbox.runner import isolation

    if isolation() is None:
        pytest.skip("no sandbox can be had on this machine")
    task = tasks["nano_code"]
    doc = docs(task)[0]
    right, wrong = doc["answer"], "    return 'nothing of the kind'"
    assert task.process_results(doc, [[right] * 5]) == {"pass@1": 1.0}
    assert task.process_results(doc, [[right, wrong, right, wrong, wrong]]) == {"pass@1": pytest.approx(0.4)}
    assert task.process_results(doc, [["    while True: pass"] * 5]) == {"pass@1": 0.0}


def test_prompts_are_short_and_fit_the_context(tasks: dict[str, Any]):
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED)
    for name in TASKS[:5]:
        longest = max(len(tokenizer(request.args[0])["input_ids"]) for request in tasks[name].instances)
        assert longest <= LONGEST_PROMPT, name


def test_same_seed_gives_the_same_items_and_another_seed_others(tasks: dict[str, Any]):
    make = tasks["nano_words"].config.custom_dataset
    first, again, other = (make(seed=seed, items=20, skew=0.0)["test"].to_list() for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_what_a_test_asks_is_within_what_training_covers(tasks: dict[str, Any]):
    asked = tasks["nano_sums"].config.metadata
    assert set(asked["steps"]) <= set(corpus.LONG_SUMS.keywords["steps"])


def test_longest_answer_fits_what_may_be_generated(tasks: dict[str, Any]):
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED)
    for name, answer in (("nano_sums", "answer"), ("nano_code", "answer")):
        longest = max(len(tokenizer(doc[answer])["input_ids"]) for doc in docs(tasks[name]))
        assert longest <= tasks[name].config.generation_kwargs["max_gen_toks"], name


def test_reference_bodies_stop_where_generation_stops(tasks: dict[str, Any]):
    for doc in docs(tasks["nano_code"]):
        assert not any(stop in doc["answer"] for stop in tasks["nano_code"].config.generation_kwargs["until"])
        assert doc["checks"].count("assert") >= 5
        assert doc["prompt"].startswith(tuple(f"def {name}(" for name in code.FUNCTIONS))
