"""Copies of the nano teacher with something changed."""

import json
import shutil
from pathlib import Path

import pytest

from zoo.checkpoint.locate import locate


@pytest.fixture(scope="session")
def teacher() -> Path:
    return locate("nano-teacher").folder


@pytest.fixture
def copied(teacher, tmp_path):
    """A function that copies the teacher's folder, and changes JSON files of it."""

    def make(name="copy", **files):
        folder = shutil.copytree(teacher, tmp_path / name)
        for file, change in files.items():
            path = folder / f"{file}.json"
            stated = json.loads(path.read_text("utf-8"))
            change(stated)
            path.write_text(json.dumps(stated), "utf-8")
        return folder

    return make
