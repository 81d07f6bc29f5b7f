"""What the stopping rule gives up, judged from losses that are made by hand."""

import pytest

from benchmarks.search_rank import SETTING, judge, told
from zoo.search.stopping import StopRule

STEPS = [3, 6, 12, 24, 48]
DOCUMENTS = 50


def candidate(curve, long):
    """Losses a token by rung, the same of every document, and after the long training."""
    nll = [[10 * loss] * DOCUMENTS for loss in curve]
    return {
        "shape": "hidden=8", "parameters": 1, "tokens_of_documents": [10.0] * DOCUMENTS, "cut": nll[0], "steps": STEPS,
        "nll": nll, "long": long,
    }  # fmt: skip


LEADER = candidate([2.0, 1.8, 1.6, 1.5, 1.45], 1.30)
BEHIND = candidate([3.0, 2.8, 2.6, 2.5, 2.45], 2.30)
LATE = candidate([3.0, 2.8, 2.6, 2.5, 2.45], 1.25)
"""The best of all in the end, which no rung can tell."""


def test_the_leader_of_the_rungs_that_stays_the_best_gives_nothing_up():
    judged = judge({1: [LEADER, BEHIND, BEHIND]}, StopRule())
    (seed,) = judged["seeds"]
    assert (seed["winner"], seed["long_winner"], seed["given_up"], seed["stop"]) == (0, 0, 0.0, "one is left")
    assert judged["bars"] == dict.fromkeys(judged["bars"], True)
    steps = [each["steps"] for each in seed["candidates"]]
    assert seed["tokens"] == SETTING.training.tokens_at(sum(steps)) / (3 * SETTING.long)
    assert max(steps) < STEPS[-1]


def test_what_no_rung_can_tell_is_counted_as_given_up():
    judged = judge({1: [LEADER, BEHIND, BEHIND], 2: [LEADER, LATE, BEHIND]}, StopRule())
    assert judged["seeds"][1]["given_up"] == pytest.approx(0.05)
    assert judged["within"]["count"] == judged["winner_is_the_best"]["count"] == 1
    assert not judged["bars"]["at most 0.01 nat given up in 90 % of the seeds"]
    assert "1 of 2 seeds (50%" in told(judged)
    assert "MISSED: at most 0.01 nat" in told(judged)


def test_a_quarter_of_the_long_trainings_is_the_most_that_a_search_can_spend():
    assert SETTING.training.tokens * 4 == SETTING.long
