"""Positions and pairs: each context once, of the first document that asks for it, as counting them one by one gives."""

from hypothesis import given
from hypothesis import strategies as st

from harness.divergence.positions import NO_TOKEN, Asked, positions_of

ASKED = st.builds(
    Asked,
    st.lists(st.integers(0, 2), min_size=1, max_size=6).map(tuple),
    st.sampled_from([NO_TOKEN, 0, 1, 2]),
    st.integers(0, 5),
)


def one_by_one(listed):
    """Contexts in ascending order, the first document of each, and the (context, next token) pairs."""
    first, pairs = {}, set()
    for each in sorted(listed, key=lambda each: each.document):
        whole = each.fed + ((each.following,) if each.following != NO_TOKEN else ())
        for length in range(1, len(each.fed) + 1):
            first.setdefault(each.fed[:length], each.document)
            pairs |= {(whole[:length], whole[length])} if length < len(whole) else set()
    contexts = sorted(first)
    return contexts, [first[context] for context in contexts], sorted((contexts.index(c), token) for c, token in pairs)


@given(st.lists(ASKED, max_size=12))
def test_positions_are_the_contexts_and_pairs_what_follows_them(listed):
    found = positions_of(listed)
    contexts, first, pairs = one_by_one(listed)
    asked = zip(found.sequences, found.asked, strict=True)
    assert [tuple(s[:at]) for s, count in asked for at in range(len(s) - count + 1, len(s) + 1)] == contexts
    assert found.document.tolist() == first
    assert list(zip(found.pair_position.tolist(), found.pair_token.tolist(), strict=True)) == pairs
    assert len(found) == len(contexts)


def test_large_ids_sort_as_numbers():
    found = positions_of([Asked((300, 1), 70000, 0), Asked((2, 200000), NO_TOKEN, 1)])
    assert [list(sequence) for sequence in found.sequences] == [[2, 200000], [300, 1]]
    assert found.pair_token.tolist() == [200000, 1, 70000]


def test_four_endings_of_a_question_share_it():
    shots = tuple(range(10, 40))
    found = positions_of([Asked((*shots, ending), 99, 7) for ending in (1, 2, 3, 4)])
    assert len(found) == len(shots) + 4
    assert found.asked == [31, 1, 1, 1]
    assert len(found.pair_token) == 29 + 4 + 4
