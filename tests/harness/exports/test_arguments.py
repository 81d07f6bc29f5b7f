"""Requests are put together again from what samples keep, and believed only where their digest is the recorded one."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exports.arguments import asked
from harness.records.asked import asked as kept

PROMPT = "Q: 1 + 1?\nA:"
KINDS = {
    "choices": [[PROMPT, " 2"], [PROMPT, " 3"]],
    "choices without a blank": [[PROMPT, "A"], [PROMPT, "B"], [PROMPT, "C"]],
    "choices asked without the context too": [[PROMPT, " 2"], [PROMPT, " 3"], ["", "2"], ["", "3"]],
    "contexts before one ending": [["The dog or Ann", " ran."], ["The dog or Bob", " ran."]],
    "one ending": [["The dog", " ran."]],
    "one ending without a blank": [["The dog ", "ran."]],
    "rolling": [["The dog ran."]],
}
TARGETS = {"contexts before one ending": "ran.", "one ending": " ran.", "one ending without a blank": "ran."}


def row_of(requests, target="0"):
    digest = hashlib.sha256(json.dumps(requests, ensure_ascii=False).encode()).hexdigest()
    return {**kept(requests), "request_hash": digest, "target": target}


@pytest.mark.parametrize("kind", KINDS)
def test_requests_are_as_they_were_asked(kind):
    answers = [[[-1.5, False]]] * len(KINDS[kind])
    made = asked(row_of(KINDS[kind], TARGETS.get(kind, "0")), answers, {})
    assert (list(made.requests), made.exact) == (KINDS[kind], True)


@given(st.text(), st.lists(st.text(min_size=1), min_size=2, max_size=5, unique=True))
def test_any_choices_after_any_prompt_come_back(prompt, choices):
    requests = [[prompt, choice] for choice in choices]
    made = asked(row_of(requests), [[[-1.0, True]]] * len(requests), {})
    assert (list(made.requests), made.exact) == (requests, True)


def test_requests_of_another_kind_are_not_guessed():
    requests = [["one", "a"], ["two", "b"]]
    made = asked(row_of(requests), [[[-1.0, True]], [[-2.0, False]]], {})
    assert (list(made.requests), made.exact) == ([["one"], [None]], False)


def test_settings_of_a_generation_are_those_that_the_record_tells():
    made = asked(row_of([[PROMPT, {"until": ["\n"]}]]), [["2"]], {"temperature": 0.2})
    assert (list(made.requests), made.exact) == ([[PROMPT, {"temperature": 0.2}]], False)


def test_samples_of_before_prompts_were_kept_have_none():
    old = {"request_hash": "h", "target": "0"}
    assert asked(old, [[[-1.0, True]], [[-2.0, False]]], {}).requests == ([None], [None])
    assert asked(old, [["text"]], {}).requests == ([None, {}],)
