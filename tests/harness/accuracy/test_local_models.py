"""Local checkpoints in the results: each under a name that is its own, whatever its folder is called."""

import shutil
from pathlib import Path

import pytest

from harness.store.query import query
from zoo.checkpoint.model_ref import resolve


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three checkpoints in folders whose last parts tell nothing: two are called `final`, one like a registry model."""
    root = tmp_path_factory.mktemp("models")
    for place, model in {
        "runA/final": "nano-teacher",
        "runB/final": "nano-width",
        "minitron-8b": "nano-depth",
    }.items():
        shutil.copytree(resolve(model).folder, root / place)
    return root


@pytest.fixture
def models(minizoo, tmp_path):
    """Evaluate folders into one results folder, and read the models of its scores."""

    def call(*runs):
        for words in runs:
            argv = ["eval", *words, "--tasks", "nano_words", "--limit", 1, "--device", "cpu", "--results", tmp_path]
            ran = minizoo(*argv, "--json")
            assert ran.code == 0, ran.err
        rows = query(tmp_path, "SELECT DISTINCT model FROM scores WHERE source = 'measured' ORDER BY model")
        return [row["model"] for row in rows]

    return call


def test_two_folders_of_one_name_are_two_models(models, folders):
    assert models([folders / "runA/final"], [folders / "runB/final"]) == ["runA/final", "runB/final"]


def test_a_folder_of_the_name_of_a_registry_model_is_not_shown_as_that_model(models, folders, monkeypatch):
    monkeypatch.chdir(folders)
    (shown,) = models(["./minitron-8b"])
    assert shown != "minitron-8b"
    assert shown.endswith("/minitron-8b")


def test_a_given_name_and_parent_are_recorded(models, folders, minizoo, tmp_path):
    named = [folders / "runA/final", "--name", "width, 2e-4", "--parent", "nvidia/Minitron-8B-Base"]
    assert models(named) == ["width, 2e-4"]
    again = minizoo(
        "eval", *named, "--tasks", "nano_words", "--limit", 1, "--device", "cpu", "--results", tmp_path, "--json"
    )
    (record,) = again.json()["records"]
    subject = record["subject"]
    assert (subject["kind"], subject["name"], subject["parent"]) == ("folder", "width, 2e-4", "minitron-8b")
    assert subject["entry"] is None
    assert Path(subject["source"]) == (folders / "runA/final").resolve()


@pytest.mark.parametrize("name", ["minitron-8b", "nvidia/Minitron-8B-Base", "two\nlines"])
def test_a_name_that_is_taken_or_unprintable_is_refused(minizoo, folders, tmp_path, name):
    ran = minizoo("eval", folders / "runA/final", "--name", name, "--results", tmp_path, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "invalid-option")
