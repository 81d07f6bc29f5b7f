"""Documents pair by (hash, occurrence) and nothing else; what was asked differently is refused by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.items import Items
from harness.compare.pairing import paired_items


def items(hashes, occurrences=None, requests=None):
    hashes, n = list(hashes), len(hashes)
    names = ("value", "weight", "gold_logprob", "gold", "length", "cluster")
    return Items(
        doc_id=np.arange(n),
        doc_hash=np.array(hashes, dtype=object),
        occurrence=np.array(occurrences or [0] * n, dtype=np.int64),
        request_hash=np.array(requests or [f"r{h}" for h in hashes], dtype=object),
        **{name: np.zeros(n) for name in names},
    )


@given(st.permutations(list("abcdef")), st.permutations(list("abcdef")))
def test_order_does_not_matter(ours, theirs):
    a, b = items(ours), items(theirs)
    paired = paired_items(a, b)
    assert paired.refused is None
    assert list(a.doc_hash[paired.a]) == ours == list(b.doc_hash[paired.b])


def test_a_document_that_stands_twice_in_the_data_pairs_by_its_occurrence():
    paired = paired_items(items("aab", [0, 1, 0]), items("aba", [1, 0, 0]))
    assert (paired.a.tolist(), paired.b.tolist()) == ([0, 1, 2], [2, 0, 1])


def test_documents_of_one_side_are_counted_and_left_out():
    paired = paired_items(items("abcde"), items("bd"))
    assert (len(paired), paired.only_a, paired.only_b, paired.refused) == (2, 3, 0, None)


def test_unlike_requests_are_refused_with_how_many_and_the_first():
    paired = paired_items(items("abcd"), items("abcd", requests=["ra", "x", "rc", "y"]))
    assert paired.refused == "prompts differ: the requests of 2 of 4 documents are not the same, first document 1 (b…)"


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [("ab", "cd", "not one of 2 documents of A is among 2 of B"), ("aab", "ab", "A name 1 documents more than once")],
)
def test_what_cannot_pair_is_refused(ours, theirs, words):
    assert words in paired_items(items(ours), items(theirs)).refused


def test_a_request_that_nobody_recorded_is_no_match():
    assert "prompts differ" in paired_items(items("a", requests=[None]), items("a", requests=[None])).refused
