"""One model, its backend and its known answers, for all tests of conformance."""

from collections.abc import Iterator

import pytest

from backends.conformance.reference import plain_reference
from backends.conformance.run import subject_of
from backends.conformance.subject import Subject
from backends.contract import Options
from backends.opening import open_backend
from zoo.checkpoint.locate import locate


@pytest.fixture(scope="session")
def teacher():
    return locate("nano-teacher")


@pytest.fixture(scope="session")
def hf(teacher):
    opened = open_backend(teacher, "hf", Options(device="cpu", dtype="float32"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def known(teacher, hf) -> Iterator[Subject]:
    """A subject in a short run, whose known answers others borrow."""
    subject = subject_of(hf, teacher, plain_reference(teacher), short=True)
    yield subject
    subject.known.close()
