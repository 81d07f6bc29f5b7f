"""Data that is absent, broken or of another form: one paragraph with its code, and nothing is half-written."""

import json
import shutil

import pytest


def test_data_absent_from_the_mirror(evaluate, stories, tmp_path):
    (tmp_path / "mirror").mkdir()
    evaluate(
        "--model",
        stories,
        "--tasks",
        "winogrande",
        "--data",
        tmp_path / "mirror",
        cause="data-missing",
        exit_code=4,
        says=["validation.jsonl"],
    )


def test_data_absent_offline(minizoo, stories, tmp_path):
    ran = minizoo("eval", "--model", stories, "--tasks", "winogrande", "--results", tmp_path, "--json")
    assert (ran.code, ran.json()["code"]) == (4, "data-missing")
    assert "allenai/winogrande" in ran.json()["what"]


def test_missing_fewshot_split_is_an_error_and_never_another_split(evaluate, stories, data, tmp_path):
    mirror = tmp_path / "mirror" / "allenai/winogrande/winogrande_xl"
    mirror.mkdir(parents=True)
    shutil.copy(data / "allenai/winogrande/winogrande_xl/validation.jsonl", mirror)
    evaluate(
        "--model", stories, "--tasks", "winogrande", "--shots", 5, "--data", tmp_path / "mirror",
        cause="data-missing", exit_code=4, says=["train.jsonl"],
    )  # fmt: skip
    evaluate("--model", stories, "--tasks", "winogrande", "--limit", 2, "--data", tmp_path / "mirror", records=1)


@pytest.mark.parametrize("line", ["{", "3"])
def test_broken_data_line_is_named(evaluate, stories, data, tmp_path, line):
    mirror = tmp_path / "mirror" / "allenai/winogrande/winogrande_xl"
    mirror.mkdir(parents=True)
    first = (data / "allenai/winogrande/winogrande_xl/validation.jsonl").read_text().splitlines()[0]
    (mirror / "validation.jsonl").write_text(f"{first}\n{line}\n")
    evaluate(
        "--model",
        stories,
        "--tasks",
        "winogrande",
        "--data",
        tmp_path / "mirror",
        cause="invalid-data",
        says=["validation.jsonl:2"],
    )


def test_data_without_the_tasks_column(evaluate, stories, tmp_path):
    mirror = tmp_path / "mirror" / "allenai/winogrande/winogrande_xl"
    mirror.mkdir(parents=True)
    (mirror / "validation.jsonl").write_text('{"question": "?", "answer": "1"}\n')
    evaluate(
        "--model",
        stories,
        "--tasks",
        "winogrande",
        "--data",
        tmp_path / "mirror",
        cause="invalid-task",
        says=["winogrande"],
    )


COLUMNS = {
    "xlsum_en_0shot": ("csebuetnlp/xlsum/english/test.jsonl", {"text": "An article."}, "summary"),
    "mbpp_0shot": ("google-research-datasets/mbpp/full/test.jsonl", {"text": "Add two numbers.", "code": ""}, "test_list"),
    "wikitext2_2048": (
        "EleutherAI/wikitext_document_level/wikitext-2-raw-v1/test.jsonl", {"text": "A page."}, "page",
    ),
}  # fmt: skip


@pytest.mark.parametrize("task", COLUMNS)
def test_data_without_a_column_of_minizoos_own_tasks_is_refused_before_anything_runs(evaluate, stories, tmp_path, task):
    path, row, column = COLUMNS[task]
    mirror = tmp_path / "mirror"
    (mirror / path).parent.mkdir(parents=True)
    (mirror / path).write_text(json.dumps(row) + "\n")
    evaluate(
        "--model", stories, "--tasks", task, "--data", mirror, "--overflow", "truncate",
        cause="invalid-task", says=[task, column],
    )  # fmt: skip


@pytest.mark.parametrize("task", COLUMNS)
def test_an_absent_split_of_minizoos_own_tasks_is_named_with_the_command_that_fetches_it(
    evaluate, stories, tmp_path, task
):
    (tmp_path / "mirror").mkdir()
    evaluate(
        "--model", stories, "--tasks", task, "--data", tmp_path / "mirror",
        cause="data-missing", exit_code=4, says=[COLUMNS[task][0], f"minizoo data pull --tasks {task}"],
    )  # fmt: skip
