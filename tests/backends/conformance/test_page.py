"""docs/conformance.md has the checks and faults that the code has."""

import pytest

from backends.conformance.faults import faults
from backends.conformance.page import PAGE, page
from backends.conformance.table import CHECKS


def test_the_page_is_made_from_the_checks_and_the_catalogue():
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "python -m backends.conformance.page"


def test_it_names_every_check_and_every_thread():
    text = PAGE.read_text("utf-8")
    assert all(f"| `{check.name}` |" in text for check in CHECKS)
    assert all(f"]({fault.thread})" in text for fault in faults())


def test_a_page_without_a_place_for_a_table_is_told():
    with pytest.raises(ValueError, match="no place"):
        page("# Empty\n")
