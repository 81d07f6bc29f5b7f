"""What a user says of the tasks becomes suites, in one place for every command."""

import pytest

from harness.suites.suite import TaskSelection, load_suite, suite_names
from zoo.errors import ConflictingOptions, FileMissing, InvalidSuite, SuiteNeeded, UnknownName
from zoo.registry.loader import load_registry


def test_nothing_said_is_the_default():
    assert TaskSelection().resolve("smoke") == [load_suite("smoke")]


@pytest.mark.parametrize(
    ("model", "suite"),
    [("llama-3.2-1b", "paper"), ("nemotron-mini-4b-instruct", "instruct"), ("nano-teacher", "nano"),
     ("nemotron-nano-9b-v2", None), ("nemotron-nano-12b-v2", None)],
)  # fmt: skip
def test_the_default_is_that_of_the_kind_of_model(model, suite):
    assert load_registry().models[model].suite == suite


def test_a_model_without_a_default_asks_for_a_suite_and_names_those_there_are():
    with pytest.raises(SuiteNeeded) as refused:
        TaskSelection().resolve(None)
    assert all(name in refused.value.hint for name in suite_names())
    assert TaskSelection(("card",)).resolve(None) == [load_suite("card")]
    assert [suite.name for suite in TaskSelection(tasks=("gsm8k",)).resolve(None)] == ["custom"]


def test_eval_of_a_reasoning_model_without_a_suite_is_refused_in_one_paragraph(minizoo, tmp_path):
    ran = minizoo("eval", "nemotron-nano-9b-v2", "--results", tmp_path / "results")
    assert ran.code == 2
    assert "--suite" in ran.err
    assert not (tmp_path / "results").exists()


def test_suites_are_taken_by_name_and_in_order():
    assert TaskSelection(("nano", "paper")).resolve("smoke") == [load_suite("nano"), load_suite("paper")]


def test_tasks_are_a_suite_of_their_own_with_the_shots_that_were_said():
    (suite,) = TaskSelection(tasks=("gsm8k", "winogrande"), shots=3).resolve("smoke")
    assert suite.name == "custom"
    assert suite.name not in suite_names()
    assert [(entry.task, entry.shots) for entry in suite.tasks] == [("gsm8k", 3), ("winogrande", 3)]


@pytest.mark.parametrize(
    "selection", [TaskSelection(("nano",), ("gsm8k",)), TaskSelection(shots=3), TaskSelection(("nano",), shots=3)]
)
def test_what_does_not_go_together_is_refused(selection):
    with pytest.raises(ConflictingOptions):
        selection.resolve("smoke")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, FileMissing),
        ("name: [", InvalidSuite),
        ("name: mine\ntasks: []\n", InvalidSuite),
        ("name: mine\ntasks: [{task: gsm8k, limit: 0}]\n", InvalidSuite),
    ],
)
def test_a_suite_file_that_cannot_be_taken_is_refused_by_cause(tmp_path, content, cause):
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(cause, match=r"mine\.yaml"):
        TaskSelection((str(path),)).resolve("smoke")


def test_an_unknown_suite_names_the_nearest():
    with pytest.raises(UnknownName, match="'paper'"):
        load_suite("papr")


def test_folders_that_are_not_there_are_refused(tmp_path):
    for folder in ("no_such_package/tasks", "harness/tasks/nowhere"):
        path = tmp_path / "mine.yaml"
        path.write_text(f"name: mine\nfolders: [{folder}]\ntasks: [{{task: gsm8k}}]\n")
        with pytest.raises(InvalidSuite, match=folder):
            load_suite(str(path)).paths()
