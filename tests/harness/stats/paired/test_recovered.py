"""The share of a loss that was won back: held against the test that it inverts, the bootstrap, and at its edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.paired.real import mean_p, paired_mean
from harness.stats.paired.recovered import recovered

unhurried = settings(deadline=None, max_examples=50)  # a busy machine may take its time


def three(n, seed, lost=0.4, back=0.7):
    """Right or wrong of a parent, of one that lost some of its documents, and of one that got some of these back."""
    dice = np.random.default_rng(seed)
    parent = (dice.random(n) < 0.85).astype(float)
    pruned = np.where(dice.random(n) < lost, dice.random(n) < 0.25, parent).astype(float)
    return parent, pruned, np.where(dice.random(n) < back, parent, pruned).astype(float)


def test_by_hand():
    """9, 5 and 8 of 10 right: 3/4 of the loss."""
    found = recovered([1] * 9 + [0], [1] * 5 + [0] * 5, [1] * 8 + [0] * 2)
    assert found.value == pytest.approx(0.75)
    assert found.lower < 0.75 < found.upper


@pytest.mark.parametrize("clusters", [None, [at // 4 for at in range(400)]])
def test_the_ends_are_where_the_clustered_t_just_tells_the_difference_from_nothing(clusters):
    parent, pruned, distilled = three(400, 1)
    found = recovered(parent, pruned, distilled, clusters)
    for end, inside in ((found.lower, 1e-3), (found.upper, -1e-3)):
        just, nearer = (
            mean_p(paired_mean((distilled - pruned) - share * (parent - pruned), clusters))
            for share in (end, end + inside)
        )
        assert just == pytest.approx(0.05, abs=1e-6)
        assert nearer > 0.05


def test_weighted_documents_are_a_ratio_of_sums():
    """Log-likelihoods a word, of pages of many lengths: as resampling the pages has it."""
    dice = np.random.default_rng(3)
    words = dice.integers(50, 500, 120).astype(float)
    parent = dice.normal(-3.4, 0.3, 120)
    pruned = parent - dice.normal(1.0, 0.2, 120)
    distilled = pruned + dice.normal(0.7, 0.2, 120)
    found = recovered(parent, pruned, distilled, weights=words)
    assert found.value == pytest.approx(((distilled - pruned) @ words) / ((parent - pruned) @ words))
    picks = dice.integers(0, 120, (4000, 120))
    shares = ((distilled - pruned) * words)[picks].sum(1) / ((parent - pruned) * words)[picks].sum(1)
    assert (found.lower, found.upper) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])), abs=0.01)


def test_a_true_share_lies_inside_as_often_as_the_confidence_says():
    """A loss of 0.3 of 0.85, of which 0.7 comes back: 95 % of 1,000 draws, which are known to ± 1.4 points."""
    inside = 0
    for seed in range(1000):
        found = recovered(*three(300, seed), unit_interval=True)
        inside += found is not None and found.lower <= 0.7 <= found.upper
    assert 0.93 <= inside / 1000 <= 0.985


def test_without_a_loss_that_shows_there_is_no_share():
    parent, pruned, distilled = three(400, 4)
    assert recovered(pruned, parent, distilled) is None, "the pruned model is the better one"
    assert recovered(parent, parent, distilled) is None
    one_lost = np.array([1.0] * 40), np.array([0.0] + [1.0] * 39), np.array([1.0] * 40)
    assert recovered(*one_lost) is None
    assert recovered([1.0], [0.0], [1.0]) is None, "a single document"
    assert recovered([1.0] * 4, [0.0] * 4, [1.0] * 4, ["a"] * 4) is None, "a single cluster"


def test_shares_beyond_none_and_all_stand_as_they_are():
    parent, pruned, _ = three(400, 5)
    worse = np.where(np.arange(400) % 10 == 0, 0.0, pruned)
    assert recovered(parent, pruned, worse).value < 0
    better = np.where(np.arange(400) % 50 == 0, 1.0, parent)
    assert recovered(parent, pruned, better).upper > 1


def test_documents_that_all_came_out_alike_are_not_taken_for_certainty():
    """60 of 200 lost and every one of them got back: 100 %, but another document might not have been."""
    parent = np.ones(200)
    pruned = np.array([0.0] * 60 + [1.0] * 140)
    bare = recovered(parent, pruned, parent)
    assert (bare.value, bare.lower, bare.upper) == (1.0, None, None)
    found = recovered(parent, pruned, parent, unit_interval=True)
    assert (found.lower, found.upper) == pytest.approx(unseen_by_search(200, 0.3, 0.3), abs=1e-3)
    assert found.lower < 0.95


def unseen_by_search(units, loss, gain):
    """The shares of which so many units would miss what makes them true in more than 2.5 % of cases."""
    room = {share: max(1, share, 1 - share) for share in np.arange(-1, 3, 1e-4)}
    kept = [
        share
        for share, widest in room.items()
        if (1 - abs(gain - share * loss) / (widest + abs(gain - share * loss))) ** units >= 0.025
    ]
    return min(kept), max(kept)


@unhurried
@given(seed=st.integers(0, 999), shift=st.floats(-2, 2), scale=st.floats(0.1, 9), order=st.integers(0, 99))
def test_chance_unit_and_order_change_nothing(seed, shift, scale, order):
    columns = three(120, seed)
    found = recovered(*columns)
    mixed = np.random.default_rng(order).permutation(120)
    other = recovered(*(shift + scale * column[mixed] for column in columns))
    assert (found is None) == (other is None)
    if found is not None:
        assert (other.value, other.lower, other.upper) == pytest.approx((found.value, found.lower, found.upper))


@unhurried
@given(seed=st.integers(0, 999), lost=st.floats(0.0, 1.0), back=st.floats(0.0, 1.0))
def test_it_is_finite_and_holds_its_own_value(seed, lost, back):
    found = recovered(*three(60, seed, lost, back), unit_interval=True)
    if found is not None:
        assert all(map(math.isfinite, (found.value, found.lower, found.upper)))
        assert found.lower < found.value < found.upper


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="not the same ones"):
        recovered([1.0, 0.0], [0.0, 0.0], [1.0])
