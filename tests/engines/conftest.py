"""Tests of engines that are really run, in interpreters of their own. Without one they are skipped (`make test-engines`)."""

from __future__ import annotations

import os

import pytest

from backends.vllm.interpreter import VARIABLE


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """The interpreter that has vLLM."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"no vLLM here: {VARIABLE} names no interpreter; `make test-engines` makes one")
    return python
