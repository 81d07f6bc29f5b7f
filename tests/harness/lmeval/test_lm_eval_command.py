"""`minizoo lm-eval run`: the same numbers as lm-eval's own model in lm-eval's own files, and records beside them."""

import argparse
import json
import os
import sys

import datasets.load
import pytest
from lm_eval import evaluator
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._factory import TaskFactory
from lm_eval.tasks._index import TaskIndex
from support.paths import ROOT
from support.tolerances import logprob_tolerance

from harness.records.files import read_record

TASKS = "hellaswag,nano_sums,nano_prose"
REPLACED = [
    (evaluator, "evaluate"),
    (evaluator, "simple_evaluate"),
    (TaskFactory, "_build_task"),
    (TaskIndex, "build"),
    (ConfigurableTask, "fewshot_docs"),
    (datasets.load, "load_dataset_builder"),
    (argparse.ArgumentParser, "error"),
    (sys, "argv"),
]
BEFORE = [vars(owner)[name] for owner, name in REPLACED]


@pytest.fixture(scope="module")
def both(tmp_path_factory, stories, data):
    """Folder of what lm-eval's model and minizoo's left, by one command line but for a word: results, and samples by task."""
    folder = tmp_path_factory.mktemp("both")
    told = {model: _run(model, folder, stories, data) for model in ("hf", "minizoo")}
    return folder, told


def _run(model, folder, stories, data):
    from minizoo.cli import run

    words = [
        "--results",
        folder / "records",
        "run",
        "--model",
        model,
        f"--data={data}",
        "--device",
        "cpu",
        "--limit",
        "3",
    ]
    words += ["--model_args", f"pretrained={stories},dtype=float32", "--include_path", ROOT / "harness/tasks/nano"]
    words += ["--tasks", TASKS, "--output_path", folder / model, "--log_samples", "--seed", "7", "--num_fewshot", "1"]
    words += ["--system_instruction", "Once upon a time.", "--use_cache", folder / f"{model}-answers"]
    words += ["--gen_kwargs", "max_gen_toks=6"]
    assert run(["lm-eval", *map(str, words)]) == 0
    (results,) = (folder / model).rglob("results_*.json")
    samples = {}
    for path in (folder / model).rglob("samples_*.jsonl"):
        samples[path.name.removeprefix("samples_").rpartition("_")[0]] = [
            json.loads(line) for line in path.read_text("utf-8").splitlines()
        ]
    return json.loads(results.read_text("utf-8")), samples


def test_result_files_have_equal_numbers(both):
    (theirs, _), (ours, _) = both[1]["hf"], both[1]["minizoo"]
    assert set(ours["results"]) == set(TASKS.split(","))
    for task, numbers in theirs["results"].items():
        near = {name: pytest.approx(one, rel=1e-5) if isinstance(one, float) else one for name, one in numbers.items()}
        assert ours["results"][task] == near
    for key in ("versions", "n-shot", "higher_is_better", "n-samples", "group_subtasks"):
        assert ours[key] == theirs[key]
    assert {name: ours["config"][name] for name in ("limit", "numpy_seed", "fewshot_seed")} == {
        "limit": 3.0, "numpy_seed": 7, "fewshot_seed": 7,
    }  # fmt: skip


def test_samples_have_the_same_prompts_and_answers(both):
    (_, theirs), (_, ours) = both[1]["hf"], both[1]["minizoo"]
    assert set(ours) == set(theirs) == set(TASKS.split(","))
    for task in theirs:
        assert len(ours[task]) == len(theirs[task]) >= 3
        for mine, other in zip(ours[task], theirs[task], strict=True):
            assert (mine["arguments"], mine["doc_hash"], mine["prompt_hash"]) == (
                other["arguments"], other["doc_hash"], other["prompt_hash"],
            )  # fmt: skip
            _check_answers(mine["resps"], other["resps"])
    assert ours["hellaswag"][0]["arguments"]["gen_args_0"]["arg_0"].startswith("Once upon a time.")
    assert ours["nano_sums"][0]["arguments"]["gen_args_0"]["arg_1"]["max_gen_toks"] == 6


def _check_answers(mine, other):
    if isinstance(mine, list):
        assert len(mine) == len(other)
        for one, another in zip(mine, other, strict=True):
            _check_answers(one, another)
    elif _number(mine) is None:
        assert mine == other  # a text, or whether greedy decoding writes it
    else:
        assert _number(mine) == pytest.approx(_number(other), abs=float(logprob_tolerance(512)))


def _number(said):
    try:
        return float(said)
    except ValueError:
        return None


def test_each_task_of_minizoos_run_is_recorded_and_none_of_lm_evals_model(both):
    folder, told = both
    records = {record.task: record for record in map(read_record, (folder / "records").rglob("record.json"))}
    assert set(records) == set(TASKS.split(","))
    for task, record in records.items():
        assert (record.suite, record.status) == ("lm-eval", "ok")
        assert record.shots == told["minizoo"][0]["n-shot"][task]
        for score in record.scores:
            assert score.value == told["minizoo"][0]["results"][task][f"{score.metric},{score.filter}"]


def test_a_failed_record_leaves_lm_evals_files_and_a_cache_answers_in_the_models_place(
    both, minizoo, stories, data, tmp_path
):
    folder, told = both
    (tmp_path / "file").write_text("no folder")
    ran = minizoo(
        "lm-eval", "--model", "minizoo", "--model_args", f"pretrained={stories},dtype=float32", "--tasks", "hellaswag",
        "--limit", "3", "--num_fewshot", "1", "--system_instruction", "Once upon a time.", "--seed", "7", "--data", data,
        "--use_cache", folder / "minizoo-answers", "--output_path", tmp_path / "out",
        "--results", tmp_path / "file" / "records",
    )  # fmt: skip
    assert ran.code == 4
    assert str(tmp_path / "file") in ran.err.splitlines()[-1]
    (results,) = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(results.read_text())["results"]["hellaswag"] == told["minizoo"][0]["results"]["hellaswag"]
    assert "loading 'loglikelihood' responses from cache" in ran.err.lower() or "Cached requests: 12" in ran.err


JUDGED_BY_CHANCE = """
task: chance
custom_dataset: !function own.docs
output_type: multiple_choice
test_split: test
doc_to_text: "{{q}}"
doc_to_choice: ["one", "two"]
doc_to_target: 0
process_results: !function own.judge
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""
OWN_CODE = """
import random
from datasets import Dataset

def docs(**_):
    return {"test": Dataset.from_list([{"q": "What?"}, {"q": "Who?"}])}

def judge(doc, results):
    return {"acc": random.random()}
"""


def test_a_task_recorded_as_failed_ends_the_command_with_4_and_lm_evals_number_stays_in_its_file(
    minizoo, stories, tmp_path
):
    (tmp_path / "chance.yaml").write_text(JUDGED_BY_CHANCE)
    (tmp_path / "own.py").write_text(OWN_CODE)
    ran = minizoo(
        "lm-eval", "run", "--model=minizoo", f"--model_args=pretrained={stories},dtype=float32", "--tasks",
        tmp_path / "chance.yaml", "--output_path", tmp_path / "out", f"--results={tmp_path / 'records'}",
    )  # fmt: skip
    assert ran.code == 4
    assert "Recorded as failed: chance: chance: lm-eval's acc is 0." in ran.err
    (results,) = (tmp_path / "out").rglob("results_*.json")
    assert 0 < json.loads(results.read_text())["results"]["chance"]["acc,none"] < 1
    (record,) = map(read_record, (tmp_path / "records").rglob("record.json"))
    assert (record.status, record.scores) == ("failed", ())


def test_nothing_is_left_replaced_after_runs_that_ended_well_and_badly(both, minizoo, monkeypatch):
    monkeypatch.delenv("LMEVAL_LOG_LEVEL", raising=False)
    assert minizoo("lm-eval", "run", "--tasks", "hellaswagg").code == 2
    assert [vars(owner)[name] for owner, name in REPLACED] == BEFORE
    assert "MINIZOO_DATA" not in os.environ
