"""The share of a score that a comparison prints: with its interval, or none where any would do."""

import pytest

from harness.stats.paired.retained import retained
from reports.compare.cells import kept

CHANCE = 0.25


@pytest.mark.parametrize(
    ("reference", "candidate", "printed"),
    [
        ([1] * 90 + [0] * 10, [1] * 75 + [0] * 25, "76.9 % (66.0 – 87.8)"),
        ([1] * 26 + [0] * 74, [1] * 60 + [0] * 40, "A at chance"),
        ([1] * 20 + [0] * 80, [1] * 60 + [0] * 40, "–"),
    ],
    ids=["above", "not told from chance", "below"],
)
def test_a_share_is_printed_where_there_is_something_to_keep(reference, candidate, printed):
    assert kept(retained(reference, candidate, CHANCE)) == printed
    assert kept(None) == "–"
