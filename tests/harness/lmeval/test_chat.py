"""Suites that talk to instruction-tuned models: every prompt through the tokenizer's chat template, as lm-eval does it."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from support.chat_template import TEMPLATE, copy_with_chat_template

from backends.tokenizer import HfTokenizer
from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents
from harness.suites.suite import Suite, SuiteTask

FOLDERS = ("lm_eval/tasks/gsm8k", "lm_eval/tasks/mmlu/default")
CHAT = """\
name: chat
chat: true
folders: [lm_eval/tasks/gsm8k]
tasks:
  - {task: gsm8k, shots: 0, limit: 2, decoding: {max_tokens: 8}}
"""


@pytest.fixture
def tuned(stories: Path, tmp_path: Path) -> Path:
    """The tiny model with a chat template, which takes no system turn."""
    return copy_with_chat_template(stories, tmp_path / "tuned")


@pytest.mark.parametrize("task", ["gsm8k", "mmlu_anatomy"])
def test_prompts_are_those_of_lm_eval_with_its_chat_template(tuned: Path, data: Path, task: str):
    from lm_eval.models.huggingface import HFLM

    tokenizer = HfTokenizer(tuned)
    suite = Suite(name="s", folders=FOLDERS, tasks=(SuiteTask(task=task, shots=2, limit=6),))
    (loaded,) = load_tasks(suite, data).tasks.values()
    documents, _ = build_documents(loaded, chat=tokenizer.chat)
    ours = {d.doc_id: [i.args for i in d.instances] for d in documents}

    theirs = HFLM(pretrained=str(tuned), device="cpu", dtype="float32")
    loaded.task.set_fewshot_seed(seed=1234)
    loaded.task.build_all_requests(
        apply_chat_template=True, fewshot_as_multiturn=True, chat_template=theirs.apply_chat_template
    )
    built: dict[int, list[object]] = {}
    for instance in loaded.task.instances:
        built.setdefault(instance.doc_id, []).append(instance.args)
    assert ours == {doc_id: built[doc_id] for doc_id in ours}
    prompt = ours[documents[0].doc_id][0][0]
    assert prompt.startswith("<s><user>")
    assert prompt.count("<user>") == 3
    assert prompt.endswith("<assistant>")
    assert tokenizer.encode([prompt], add_special_tokens=False)[0] == theirs.tok_encode(prompt)


def test_the_templates_hash_is_recorded_and_changes_the_prompts(minizoo, tuned: Path, data: Path, tmp_path: Path):
    (tmp_path / "chat.yaml").write_text(CHAT)
    (tmp_path / "plain.yaml").write_text(CHAT.replace("chat: true", "chat: false"))
    records = {}
    for name in ("chat", "plain"):
        ran = minizoo(
            "eval", "--model", tuned, "--suite", tmp_path / f"{name}.yaml", "--data", data, "--results", tmp_path / name,
            "--overflow", "truncate", "--device", "cpu", "--json",
        )  # fmt: skip
        assert ran.code == 0, ran.err
        (records[name],) = ran.json()["records"]
    assert records["chat"]["chat_template"] == hashlib.sha256(TEMPLATE.encode()).hexdigest()
    assert records["plain"]["chat_template"] is None
    assert records["chat"]["task_digest"] != records["plain"]["task_digest"]


@pytest.mark.parametrize("suite", ["instruct", "chat.yaml"])
def test_a_base_model_has_no_chat_template_and_is_refused(minizoo, stories, data, tmp_path: Path, suite: str):
    (tmp_path / "chat.yaml").write_text(CHAT)
    named = tmp_path / suite if suite.endswith(".yaml") else suite
    argv = ["eval", "--model", stories, "--suite", named, "--data", data, "--results", tmp_path / "results"]
    ran = minizoo(*argv, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "chat-template-missing")
    assert not (tmp_path / "results/runs").exists()


def test_a_template_that_breaks_is_named_and_nothing_runs(minizoo, tuned: Path, data: Path, tmp_path: Path):
    config = tuned / "tokenizer_config.json"
    broken = {**json.loads(config.read_text()), "chat_template": "{{ raise_exception('never') }}"}
    config.write_text(json.dumps(broken))
    (tmp_path / "chat.yaml").write_text(CHAT)
    ran = minizoo(
        "eval", "--model", tuned, "--suite", tmp_path / "chat.yaml", "--data", data, "--results", tmp_path / "results",
        "--json",
    )  # fmt: skip
    assert (ran.code, ran.json()["code"]) == (2, "chat-template-missing")
    assert "(never)" in ran.json()["what"]


def test_a_package_that_a_task_needs_is_named_with_the_line_that_installs_it(
    minizoo, tuned, tmp_path: Path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "langdetect", None)
    mirror = tmp_path / "google/IFEval/default"
    mirror.mkdir(parents=True)
    row = {"key": 1, "prompt": "Say no.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    (mirror / "train.jsonl").write_text(json.dumps(row) + "\n")
    argv = ["eval", "--model", tuned, "--tasks", "ifeval", "--data", tmp_path, "--results", tmp_path / "results"]
    ran = minizoo(*argv, "--json")
    assert (ran.code, ran.json()["code"]) == (4, "package-missing")
    assert "langdetect" in ran.json()["what"]
    assert "pip install 'minizoo[instruct]'" in ran.json()["hint"]
