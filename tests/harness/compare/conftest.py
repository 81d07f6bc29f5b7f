"""Two sides, `old` and `new`, compared; most without a results folder, which takes a second to make."""

import pytest
from support.compared import made, side

from harness.compare.comparison import compare_sides


@pytest.fixture
def compared():
    """Compare lists of what `made` made: of `old`, and of `new`."""

    def call(old, new, asked=None):
        return compare_sides(side("old", *old), side("new", *new), asked)

    return call


@pytest.fixture
def row(compared):
    """The one row of two lists of values; what is said of either side in `a` and `b`, of both in `both`."""

    def call(old, new, a=None, b=None, **both):
        (one,) = compared([made("old", old, **both | (a or {}))], [made("new", new, **both | (b or {}))]).rows
        return one

    return call
