"""`minizoo lm-eval run` with a mirror: every way to a hub data set reads it, for any model, and nothing else is asked."""

import json

import datasets.config
import pytest
from huggingface_hub import constants

from zoo.checkpoint.hub import reachable

OWN_TASK = """
task: {name}
dataset_path: Rowan/hellaswag
custom_dataset: !function own.{function}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{ctx}}}}"
doc_to_choice: ["one", "two"]
doc_to_target: 0
"""
OWN_CODE = """
from datasets import load_dataset

def part(**_):
    return {"test": load_dataset("Rowan/hellaswag", split="validation[:3]+train[1:2]")}

def streamed(**_):
    from datasets import Dataset
    rows = load_dataset("Rowan/hellaswag", split="validation", streaming=True)
    return {"test": Dataset.from_list(list(rows.take(2)))}

def absent(**_):
    return load_dataset("Rowan/hellaswag", name="other")

def files(**_):
    return load_dataset("Rowan/hellaswag", data_files="one.jsonl")
"""


@pytest.fixture(scope="module")
def own_tasks(tmp_path_factory):
    """A folder of tasks that load data sets by code of their own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(OWN_CODE)
    for function in ("part", "streamed", "absent", "files"):
        (folder / f"{function}.yaml").write_text(OWN_TASK.format(name=f"own_{function}", function=function))
    return folder


@pytest.fixture
def connections(monkeypatch):
    """The hub may be asked, as far as the environment goes; every connection that is opened is noted, and refused."""
    opened = []

    def refuse(address, *_, **__):
        opened.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("socket.socket.connect", lambda _, address: refuse(address))
    reachable.ask_again()
    yield opened
    reachable.ask_again()


@pytest.fixture
def run(minizoo):
    """Run tasks by lm-eval's dummy model, which answers by chance at once."""

    def call(tasks, *words):
        some = () if "--samples" in words else ("--limit", "2")
        return minizoo("lm-eval", "run", "--model", "dummy", "--tasks", tasks, *some, *words)

    return call


def test_named_samples_and_a_run_that_only_predicts_reach_lm_eval(run, data, tmp_path):
    named = '{"hellaswag": [5, 7]}'
    ran = run("hellaswag", "--samples", named, "--predict_only", "--output_path", tmp_path, "--data", data)
    assert ran.code == 0, ran.err
    (samples,) = tmp_path.rglob("samples_hellaswag_*.jsonl")
    told = [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
    assert [sample["doc_id"] for sample in told] == [5, 7]
    assert [sample["metrics"] for sample in told] == [[], []]
    assert (
        f"Nothing is recorded of --model dummy; `minizoo import` takes its results_*.json below {tmp_path}." in ran.err
    )


def test_tasks_of_yaml_and_of_code_read_the_mirror_and_nothing_opens_a_connection(run, data, own_tasks, connections):
    ran = run(
        "hellaswag,own_part,own_streamed", "--include_path", own_tasks, "--data", data, "--write_out", "--show_config"
    )
    assert ran.code == 0, ran.err
    for documents in (4, 2):  # of own_part and own_streamed
        assert f'"original": {documents},' in ran.out
    assert connections == []


def test_a_split_of_examples_is_missed_where_examples_are_asked_for(run, data):
    assert run("wikitext", "--data", data).code == 0  # the mirror has its test split alone
    ran = run("wikitext", "--data", data, "--num_fewshot", "2")
    assert ran.code == 4
    last = ran.err.splitlines()[-1]
    assert last.startswith("minizoo: Task wikitext needs")
    assert "wikitext-2-raw-v1/train.jsonl" in last
    assert f"`minizoo data pull --tasks wikitext --data {data}`" in last


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("piqa", "needs {data}/baber/piqa/default/<split>.jsonl"),
        ("squadv2", "Task squadv2 needs {data}/"),
        ("own_absent", "Task own_absent needs {data}/Rowan/hellaswag/other/<split>.jsonl"),
        ("own_files", "Task own_files picks files of the data set Rowan/hellaswag by data_files"),
    ],
)
def test_what_the_mirror_lacks_is_named_with_its_task(run, data, own_tasks, task, words):
    ran = run(task, "--include_path", own_tasks, "--data", data)
    assert ran.code == 4
    assert words.format(data=data) in ran.err.splitlines()[-1]


def test_a_hub_out_of_reach_is_asked_once_and_the_task_is_named(run, connections, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    ran = run("piqa")
    assert ran.code == 4
    last = ran.err.splitlines()[-1]
    assert last.startswith("minizoo: Task piqa needs the data set baber/piqa, which is not in the cache")
    assert "Connection refused" in last
    assert len(connections) == 1
    assert constants.HF_HUB_OFFLINE is False
