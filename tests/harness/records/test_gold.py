"""The right answer told from a row of a record that has no column of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.gold import gold_of

LOGPROBS = st.lists(st.floats(-100, 0), min_size=2, max_size=6)


def answers(*logprobs):
    return json.dumps([[[logprob, False]] for logprob in logprobs])


def test_an_integer_target_names_the_choice():
    assert gold_of("1", answers(-3.0, -2.5, -9.0)) == (1, -2.5)


def test_the_one_request_of_a_log_likelihood_task_is_its_answer():
    assert gold_of("was eaten up.", json.dumps([[[-1.5, True]]])) == (None, -1.5)


@pytest.mark.parametrize(
    ("target", "responses"),
    [
        ("3", answers(-1.0, -2.0)),  # out of range
        ("-1", answers(-1.0, -2.0)),
        ("²", answers(-1.0, -2.0)),
        ("the cat", answers(-1.0, -2.0)),
        (None, answers(-1.0, -2.0)),
        ("1", json.dumps([["1"], ["2"]])),  # generated
        ("1", json.dumps([[[-1.0, False]], ["2"]])),
        ("text", json.dumps([[-79.3]])),  # a rolling perplexity
        ("text", json.dumps([[[[-79.3, 15], [-70.1, 12]]]])),  # its windows
        ("text", json.dumps([[[-79.3, 15]]])),
        ("0", "[]"),
        ("0", "{}"),
        ("0", "no json"),
        ("0", None),
    ],
)
def test_what_does_not_tell_is_unknown(target, responses):
    assert gold_of(target, responses) == (None, None)


def test_a_target_that_is_one_of_the_endings_names_it():
    endings = [" yes", " no"]
    assert gold_of("no", answers(-1.0, -2.0), endings=endings) == (1, -2.0)
    assert gold_of("ate it", answers(-1.0, -2.0), endings=[" ate it"] * 2) == (
        None,
        None,
    )  # winogrande: the contexts differ


@given(LOGPROBS, st.data())
def test_a_place_that_the_tasks_own_judgement_contradicts_is_not_believed(logprobs, data):
    place = data.draw(st.integers(0, len(logprobs) - 1))
    right = float(logprobs.index(max(logprobs)) == place)
    assert gold_of(str(place), answers(*logprobs), acc=right) == (place, logprobs[place])
    for acc in (1 - right, 0.37):
        assert gold_of(str(place), answers(*logprobs), acc=acc) == (None, None)
