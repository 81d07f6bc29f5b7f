"""The files that run inside vLLM's worker, importable by plain name as they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.workers.launch import SERVED


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(SERVED))
    return SERVED
