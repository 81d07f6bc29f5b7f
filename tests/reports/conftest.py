"""A browser for the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import launched


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    yield from launched()
