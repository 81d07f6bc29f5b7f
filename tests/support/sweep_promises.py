"""What is promised of each class that is swept."""

from __future__ import annotations

import re

import transformers

from support.architecture_page import PAGE, row_of
from support.architecture_sweep import PACKED_BEFORE, swept

RAW = re.compile(r"\b[A-Z]\w+(Error|Exception)\b|Traceback")
"""What an exception says of itself: no reason that a user could understand."""


def assert_right(name: str) -> None:
    """Right in every way that it is run, packed or with a reason in words, as docs/architectures.md says."""
    outcome = swept(name)
    assert outcome.faults == []
    assert outcome.packed or outcome.how.startswith("plain, since ")
    assert not RAW.search(outcome.how)
    assert outcome.packed or name not in PACKED_BEFORE, outcome.how
    page = PAGE.read_text("utf-8")
    if f"Made with transformers {transformers.__version__}," in page:
        assert row_of(outcome) in page.splitlines()
