"""The examples in docstrings run."""

import doctest
import importlib

import pytest
from support.paths import ROOT

ROOMS = ("zoo", "backends", "harness", "reports", "minizoo")
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    if ">>>" in path.read_text("utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_docstrings_hold(module):
    result = doctest.testmod(importlib.import_module(module))
    assert (result.failed, result.attempted > 0) == (0, True)
