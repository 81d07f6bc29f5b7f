"""A suite of one multiple-choice task over documents that a test gives, in a folder of its own."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

QUIZ: dict[str, Any] = {
    "task": "quiz",
    "output_type": "multiple_choice",
    "dataset_path": "json",
    "test_split": "test",
    "num_fewshot": 0,
    "doc_to_text": "{{q}}",
    "doc_to_target": "gold",
    "doc_to_choice": "{{choices}}",
}
OWN = "def judge(doc, results):\n    return {'acc': 1.0}\ndef place(doc):\n    return doc['gold']\n"
"""Code of the task's own, which its keys may name as `!function own.judge` and `!function own.place`."""


def quiz_suite(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    docs: list[dict[str, Any]],
    metrics: Any,
    name: str = "quiz",
    **keys: Any,
) -> str:
    """The path of the suite's file; `keys` are of the task's YAML, `name` is the task's."""
    tasks = folder / "quiz_tasks"
    tasks.mkdir()
    (folder / "quiz.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    (tasks / "own.py").write_text(OWN)
    data = {"dataset_kwargs": {"data_files": {"test": str(folder / "quiz.jsonl")}}}
    config = {**QUIZ, **data, **keys, "task": name, "metric_list": [{"metric": metric} for metric in metrics]}
    text = yaml.safe_dump(config)
    for function in ("judge", "place"):
        text = text.replace(f"'!function own.{function}'", f"!function own.{function}")
    (tasks / "quiz.yaml").write_text(text)
    (folder / "suite.yaml").write_text(f"name: own\nfolders: [quiz_tasks]\ntasks: [{{task: {name}}}]\n")
    monkeypatch.syspath_prepend(folder)
    return str(folder / "suite.yaml")
