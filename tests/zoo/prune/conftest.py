"""Tiny parents, made once a session: nothing may change them."""

from pathlib import Path

import pytest
from support.tiny_checkpoints import tiny


@pytest.fixture(scope="session")
def tiny_parent(tmp_path_factory):
    """A function from a family to the folder of its tiny random checkpoint in fp32."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = tiny(family, tmp_path_factory.mktemp("parents") / family)
        return made[family]

    return folder
