"""A record of scoring beside another engine that contradicts itself is told."""

import pytest
from support.contributed import beside, codes, scoring_record, told

from harness.bundles.plausible import doubts, unchecked
from harness.records.beside_record import Agreement


def test_scoring_that_agrees_with_itself_raises_no_doubt_and_is_said_to_be_unchecked():
    for facts in (beside(), beside(checked_documents=0, from_fp32=None, reference_from_fp32=None, conforms=None)):
        assert doubts(scoring_record(facts=facts), None) == ()
    assert "how many tokens were scored" in unchecked(scoring_record())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seconds": 0.0}, "scoring took 0 s"),
        ({"reference_seconds": -1.0}, "scoring of the reference took -1 s"),
        ({"documents": 30}, "30 documents of 20 were scored"),
        ({"documents": 0}, "0 documents of 20"),
        ({"requests": 4}, "4 requests of 5 documents"),
        ({"checked_documents": 6}, "6 documents of 5 were checked"),
        ({"agreement": Agreement(flips=6, largest=0.0)}, "6 of 5 documents flip"),
        ({"from_fp32": Agreement(flips=0, largest=-1.0)}, "is -1"),
        ({"conforms": False}, "it does not conform"),
        ({"conforms": None}, "nothing of whether it conforms"),
        ({"from_fp32": Agreement(flips=2, largest=0.1)}, "it says it conforms, and 2 documents flip"),
        ({"from_fp32": None}, "nothing was checked in fp32"),
    ],
)
def test_scoring_that_contradicts_itself_is_told(changes, words):
    record = scoring_record(facts=beside(**changes))
    assert set(codes(record, None)) == {"figures-differ"}
    assert words in told(record, None)
