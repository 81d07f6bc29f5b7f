"""Chunks of a call: every request once, about even, and what shares a beginning together."""

import random

import pytest

from backends.contract import GenerateRequest, ScoreRequest
from backends.packing.score import tree_of
from backends.workers.sharing import chunks


def computed(requests, parts):
    """Tokens that the chunks compute in all."""
    return sum(len(tree_of([requests[place] for place in part])) for part in parts)


def documents(count, shots, draw):
    """Requests of `count` documents with four endings each, a few-shot context of `shots` tokens before every ten."""
    made = []
    for document in range(count):
        if document % 10 == 0:
            context = tuple(draw.choices(range(500), k=shots))
        question = tuple(draw.choices(range(500), k=30))
        made += [ScoreRequest(context + question, tuple(draw.choices(range(500), k=5))) for _ in range(4)]
    return made


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 16])
def test_chunks_hold_every_request_once_and_are_about_even(parts):
    draw = random.Random(parts)
    requests = documents(60, 100, draw)
    cut = chunks(requests, 1 << 20, parts)
    assert sorted(place for part in cut for place in part) == list(range(len(requests)))
    assert [part[0] for part in cut] == sorted(part[0] for part in cut)
    assert parts <= len(cut) <= 2 * parts + 1
    whole = len(tree_of(requests))
    assert all(len(tree_of([requests[place] for place in part])) <= whole / parts + 200 for part in cut)


@pytest.mark.parametrize("seed", range(5))
def test_what_shares_a_long_beginning_is_cut_where_least_is_shared(seed):
    """Ten documents under each of six contexts: two or three chunks need not compute any context twice."""
    draw = random.Random(seed)
    requests = documents(60, 400, draw)
    shuffled = draw.sample(requests, len(requests))
    for order in (requests, shuffled):
        for parts in (2, 3):
            assert computed(order, chunks(order, 1 << 20, parts)) == len(tree_of(order))


def test_the_endings_of_a_question_stay_together():
    draw = random.Random(1)
    requests = documents(40, 0, draw)
    cut = chunks(requests, 1 << 20, 8)
    assert len(cut) > 7
    assert computed(requests, cut) == len(tree_of(requests))


def test_equal_requests_and_prefixes_of_each_other_are_all_there():
    requests = [ScoreRequest((1, 2, 3), (4,) * n) for n in (1, 1, 5, 5, 30, 30, 2)] * 3
    cut = chunks(requests, 4)
    assert sorted(place for part in cut for place in part) == list(range(21))


def test_no_chunk_is_empty_and_few_requests_make_few():
    assert chunks([], 100, 4) == []
    assert chunks([ScoreRequest((1,), (2,))], 100, 4) == [[0]]
    assert all(chunks([ScoreRequest((n,) * 40, (2,)) for n in range(3)], 1, 9))


def test_a_small_call_is_not_cut_below_the_least():
    requests = documents(10, 50, random.Random(2))
    assert len(chunks(requests, 1 << 20, 8, least=8192)) == 1


def test_texts_count_their_new_tokens():
    requests = [GenerateRequest((n,) * 20, 10 if n < 30 else 200) for n in range(40)]
    cut = chunks(requests, 1 << 20, 2)
    weights = [sum(20 + requests[place].max_new_tokens for place in part) for part in cut]
    assert sorted(place for part in cut for place in part) == list(range(40))
    assert max(weights) <= sum(weights) / 2 + 220


@pytest.mark.parametrize("seed", range(20))
def test_any_call_is_divided_whole(seed):
    draw = random.Random(seed)
    requests = [
        ScoreRequest(
            tuple(draw.choices(range(3), k=draw.randint(1, 40))), tuple(draw.choices(range(3), k=draw.randint(1, 9)))
        )
        for _ in range(draw.randint(1, 60))
    ]
    cut = chunks(requests, draw.choice([1, 5, 50, 1000]), draw.randint(1, 9), draw.choice([1, 30]))
    assert sorted(place for part in cut for place in part) == list(range(len(requests)))
    assert all(cut)
