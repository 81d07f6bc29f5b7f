"""Three sides of which most tests want a row: no results folder, which takes a second to make."""

import pytest
from support.compared import made, side

from harness.recovery.recover import Sides, recovery_rows


@pytest.fixture
def rows():
    """The rows of three lists of what `made` made: of the parent, the pruned and the distilled model."""

    def call(parent, pruned, distilled):
        return recovery_rows(Sides(side("whole", *parent), side("cut", *pruned), side("restored", *distilled)))

    return call


@pytest.fixture
def row(rows):
    """The one row of three lists of values; what is said of all in `both`, of one in a dictionary of its own."""

    def call(parent, pruned, distilled, own=({}, {}, {}), **both):
        (one,) = rows(
            *([made(str(at), values, **both | own[at])] for at, values in enumerate((parent, pruned, distilled)))
        )
        return one

    return call
