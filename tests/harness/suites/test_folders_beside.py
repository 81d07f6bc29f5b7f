"""A suite's file may name folders of tasks beside it."""

import pytest

from harness.suites.suite import load_suite
from zoo.errors import InvalidSuite

SUITE = "name: mine\nfolders: [{folder}]\ntasks: [{{task: a}}]\n"


def test_a_folder_with_a_dot_goes_from_the_suites_file_wherever_it_is_read(tmp_path, monkeypatch):
    (tmp_path / "here/tasks").mkdir(parents=True)
    (tmp_path / "here/mine.yaml").write_text(SUITE.format(folder="./tasks"))
    monkeypatch.chdir(tmp_path)
    suite = load_suite("here/mine.yaml")
    monkeypatch.chdir("/")
    assert suite.paths() == [tmp_path / "here" / "tasks"]
    assert suite.model_copy(update={"name": "other"}).paths() == suite.paths()
    assert suite.model_dump()["folders"] == ("./tasks",)


def test_an_absolute_path_is_itself(tmp_path):
    (tmp_path / "mine.yaml").write_text(SUITE.format(folder=tmp_path))
    assert load_suite(str(tmp_path / "mine.yaml")).paths() == [tmp_path]


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("./none", "does not exist"),
        ("/none/tasks", "does not exist"),
        ("none/tasks", "there is no package 'none'"),
        ("textwrap/tasks", "there is no package 'textwrap'"),
        ("''", "there is no package ''"),
    ],
)
def test_a_folder_that_is_not_there_is_named(tmp_path, folder, says):
    (tmp_path / "mine.yaml").write_text(SUITE.format(folder=folder))
    with pytest.raises(InvalidSuite, match=says):
        load_suite(str(tmp_path / "mine.yaml")).paths()
