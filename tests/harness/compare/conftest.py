"""Two models, `old` and `new`, in a results folder of the test's own."""

import pytest
from support.compared import keep

from harness.compare.comparison import compare_sides
from harness.compare.resolve import resolve_side


@pytest.fixture
def compared(tmp_path):
    """Compare `old` with `new` as they stand in the folder."""

    def call(asked=None, a="old", b="new"):
        return compare_sides(resolve_side(a, tmp_path), resolve_side(b, tmp_path), asked)

    return call


@pytest.fixture
def row(tmp_path, compared):
    """The one row of two lists of values; what is said of either side in `a` and `b`, of both in `both`."""

    def call(old, new, a=None, b=None, **both):
        keep(tmp_path, "old", old, **both | (a or {}))
        keep(tmp_path, "new", new, **both | (b or {}))
        (one,) = compared().rows
        return one

    return call
