"""The shipped model, its numbers computed once, and the right backend of a family over the fake package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fake_trtllm.local import installed, numbers_of, opened

from backends.conformance.reference import plain_reference
from backends.conformance.run import subject_of
from backends.conformance.subject import Subject
from backends.trtllm.backend import TrtllmBackend
from backends.workers.launch import SERVED
from zoo.checkpoint.locate import Checkpoint, locate


@pytest.fixture(scope="session")
def nano() -> Checkpoint:
    return locate("nano-teacher")


@pytest.fixture(scope="session")
def numbers(nano: Checkpoint) -> Any:
    return numbers_of(nano.folder)


@pytest.fixture(scope="module")
def right(nano: Checkpoint, numbers: Any) -> Iterator[TrtllmBackend]:
    """No longer than a file: meanwhile torch says that it sees a GPU."""
    with installed(numbers) as module:
        backend = opened(module, nano)
        yield backend
        backend.close()


@pytest.fixture(scope="module")
def known(nano: Checkpoint, right: TrtllmBackend) -> Iterator[Subject]:
    """A subject whose known answers others borrow."""
    subject = subject_of(right, nano, plain_reference(nano))
    yield subject
    subject.known.close()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that run inside workers, importable by plain name as they are there."""
    monkeypatch.syspath_prepend(str(SERVED))
    return SERVED
