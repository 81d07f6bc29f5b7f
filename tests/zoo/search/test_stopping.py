"""When a search drops candidates and ends: exact arithmetic on losses made for it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from zoo.search.stopping import Rung, StopRule, decide, interval_of, point_losses, replay

DOCUMENTS = 200
TOKENS = np.full(DOCUMENTS, 10.0)
STEPS = (10, 20, 40, 80, 160)


def rung(step, losses, spread=0.02, seed=0):
    """Documents around these losses: a difficulty that all share, and a little of each candidate's own."""
    rng = np.random.default_rng([seed, step])
    shared = rng.normal(0, 0.3, DOCUMENTS)
    own = rng.normal(0, spread, (len(losses), DOCUMENTS))
    own -= own.mean(axis=1, keepdims=True)
    return Rung(step, (np.array(losses)[:, None] + shared - shared.mean() + own) * TOKENS)


def rungs(*columns):
    return [rung(step, losses) for step, losses in zip(STEPS, columns, strict=False)]


def test_losses_are_of_all_tokens_whatever_the_documents_lengths():
    assert point_losses(np.array([[4.0, 2.0]]), np.array([1.0, 2.0])).tolist() == [2.0]


def test_the_interval_of_a_pair_is_that_of_its_differences():
    one, two = rung(10, [1.0, 1.1]).nll
    value, lower, upper = interval_of(one, two, TOKENS, StopRule(replicates=4000))
    differences = (one - two) / 10
    half = stats.norm.ppf(0.975) * differences.std() / math.sqrt(DOCUMENTS)
    assert value == pytest.approx(-0.1)
    assert (lower, upper) == (pytest.approx(-0.1 - half, rel=0.02), pytest.approx(-0.1 + half, rel=0.02))


def test_the_first_rung_drops_nobody():
    found = decide(rungs([1.0, 2.0]), TOKENS, (0, 1), 160)
    assert (found.dropped, found.stop, found.tau) == ((), None, None)


def test_a_candidate_that_stays_behind_goes_and_the_last_one_wins():
    found = replay(rungs([1.0, 2.0], [0.9, 1.9], [0.8, 1.8]), TOKENS)
    assert (found.stop, found.winner, found.steps) == ("one is left", 0, {0: 20, 1: 20})
    assert found.decisions[-1].dropped == (1,)


def test_a_candidate_that_catches_up_stays_although_it_is_behind():
    crossing = rungs([1.0, 1.4], [0.95, 1.15], [0.92, 0.98], [0.91, 0.89], [0.90, 0.85])
    found = replay(crossing, TOKENS)
    assert found.winner == 1
    assert found.decisions[1].dropped == ()
    assert found.decisions[1].standings[1].gap == pytest.approx(0.2)
    # it closed 0.2 in a doubling; three doublings are left: 0.7 + 0.49 + 0.343 of that
    assert found.decisions[1].standings[1].final == pytest.approx(0.2 - 0.2 * (0.7 + 0.7**2 + 0.7**3))


def test_it_is_settled_when_nobody_can_win_by_more_than_the_tolerance():
    near = rungs([1.0, 1.003], [0.9, 0.903], [0.8, 0.803])
    found = replay(near, TOKENS, last_step=160)
    assert (found.stop, found.decisions[-1].step) == ("settled", 20)
    assert replay(near, TOKENS, StopRule(tolerance=0.0001), last_step=160).stop is None


def test_it_is_not_settled_while_the_ranking_changes():
    flipping = rungs([1.0, 1.05], [0.95, 0.945])
    found = decide(flipping, TOKENS, (0, 1), 160, StopRule(tolerance=0.004))
    assert (found.dropped, found.stop) == ((), None)
    assert found.standings[1].final_lower > -0.004


def test_at_the_last_rung_the_tokens_are_spent():
    found = replay(rungs([1.0, 1.05], [0.9, 0.91], [0.845, 0.842]), TOKENS, StopRule(tolerance=0), last_step=40)
    assert (found.stop, found.winner) == ("tokens spent", 1)


def test_what_diverges_is_out_and_ranked_last():
    both = rungs([1.0, 1.5, 1.1], [0.9, 1.4, 1.0])
    both[1].nll[0, 7] = math.inf
    found = replay(both, TOKENS)
    assert found.decisions[-1].diverged == (0,)
    assert (found.winner, found.ranking[-1]) == (2, 0)


def test_where_all_diverge_nobody_stands():
    lost = Rung(10, np.full((2, DOCUMENTS), np.nan))
    found = decide([lost], TOKENS, (0, 1), 160)
    assert (found.standings, found.diverged) == ((), (0, 1))


def test_kendalls_tau_is_scipys_between_two_rungs():
    first, second = [1.0, 1.2, 1.4, 1.6], [0.9, 1.3, 1.1, 1.5]
    found = decide(rungs(first, second), TOKENS, range(4), 160, StopRule(tolerance=0))
    assert found.tau.value == pytest.approx(stats.kendalltau(first, second).statistic)
    assert found.tau.lower <= found.tau.value <= found.tau.upper


def test_more_confidence_never_drops_more():
    some = rungs([1.0, 1.06, 1.2], [0.95, 1.0, 1.18])
    sure, unsure = (
        decide(some, TOKENS, range(3), 80, StopRule(confidence=confidence)).dropped for confidence in (0.999, 0.6)
    )
    assert set(sure) <= set(unsure)


MATRIX = st.lists(st.lists(st.floats(0.5, 3.0), min_size=4, max_size=4), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(MATRIX)
def test_a_search_ranks_every_candidate_once_never_drops_its_leader_and_ends_the_same_each_time(losses):
    rule = StopRule(replicates=100)
    some = rungs(*losses)
    found = replay(some, TOKENS, rule)
    assert sorted(found.ranking) == [0, 1, 2, 3]
    assert found.stop is not None
    assert all(each.leader not in each.dropped for each in found.decisions)
    assert all(each.standings[0].loss <= other.loss for each in found.decisions for other in each.standings)
    assert set(found.steps.values()) <= set(STEPS)
    assert replay(some, TOKENS, rule).ranking == found.ranking


def test_a_whole_matrix_gives_the_search_that_sees_only_what_it_trained():
    whole = rungs([1.0, 2.0, 1.02], [0.9, 1.9, 0.91], [0.8, 0.1, 0.79], [0.8, 0.1, 0.79])
    seen = [Rung(each.step, each.nll.copy()) for each in whole]
    found = replay(whole, TOKENS)
    out_at = next(at for at, each in enumerate(found.decisions) if 1 in each.dropped)
    for each in seen[out_at + 1 :]:
        each.nll[1] = np.nan
    assert replay(seen, TOKENS) == found
