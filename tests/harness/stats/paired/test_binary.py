"""Right or wrong, paired: held against scipy, against the likelihood written out, and against every outcome of small tasks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import binomtest, multinomial, norm

from harness.stats.paired.binary import difference_interval, difference_p, difference_z, mcnemar, most_likely_lost

unhurried = settings(deadline=None, max_examples=50)  # a busy machine may take its time

ALTERNATIVES = ("two-sided", "less", "greater")
TESTS = (difference_z, difference_p)
margins = st.floats(-0.999, 0.999)


@st.composite
def outcomes(draw, most=400):
    """(lost, gained, n)."""
    n = draw(st.integers(1, most))
    lost = draw(st.integers(0, n))
    return lost, draw(st.integers(0, n - lost)), n


def table(n):
    """Every outcome of n documents as three columns."""
    return np.array([(lost, gained, n) for lost in range(n + 1) for gained in range(n + 1 - lost)]).T


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_mcnemar_is_the_binomial_test_of_the_changed_documents(alternative):
    lost, gained = (column.ravel() for column in np.mgrid[:18, :18])
    expected = [
        binomtest(g, g + k, alternative=alternative).pvalue if g + k else 1.0 for k, g in zip(lost, gained, strict=True)
    ]
    # fp64 sums of up to 35 binomial terms
    assert mcnemar(lost, gained, alternative) == pytest.approx(expected, rel=1e-12)


def test_mcnemar_keeps_its_digits_where_nearly_all_are_lost():
    assert mcnemar(1000, 0, "less") == pytest.approx(2.0**-1000, rel=1e-10)
    assert mcnemar(0, 1000, "less") == 1.0


def test_worse_is_less():
    assert mcnemar(9, 1, "less") < 0.05 < mcnemar(9, 1, "greater")
    assert difference_z(9, 1, 100) < 0
    assert difference_p(9, 1, 100, alternative="less") < 0.05


def test_no_changed_document_is_no_evidence():
    assert [mcnemar(0, 0, alternative) for alternative in ALTERNATIVES] == [1.0, 1.0, 1.0]
    assert difference_z(0, 0, 50, 0.0) == 0
    assert difference_p(0, 0, 50, 0.0) == 1.0


@unhurried
@given(outcomes())
def test_without_a_margin_z_is_mcnemars(outcome):
    lost, gained, n = outcome
    assume(lost + gained)
    assert difference_z(lost, gained, n, 0.0) == pytest.approx((gained - lost) / math.sqrt(lost + gained), abs=1e-12)


@unhurried
@given(outcomes(60), st.floats(-0.95, 0.95))
@example((0, 0, 40), -0.02)
@example((3, 0, 40), 0.5)
@example((0, 40, 40), 0.02)
def test_the_most_likely_share_is_where_the_likelihood_is_highest(outcome, null):
    lost, gained, n = outcome

    def against(q):
        cells = np.maximum([q, q + null, 1 - 2 * q - null], 0)  # rounding at the ends of the range
        return -xlogy([lost, gained, n - lost - gained], cells).sum()

    low, high = max(0.0, -null), (1 - null) / 2
    searched = minimize_scalar(against, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    found = float(most_likely_lost(lost, gained, n, null))
    assert low - 1e-12 <= found <= high + 1e-12
    # The search stops within 1e-10 of the top, or of the range's end, where it may be steep.
    assert against(found) <= searched.fun + 1e-7


@pytest.mark.parametrize(
    ("lost", "gained", "n", "confidence", "lower", "upper"),
    # PropCIs::scoreci.mp(lost, gained, n) of R, an implementation of its own, to the digits that it was printed with
    [
        (60, 20, 1000, 0.95, -0.0584, -0.0231),
        (20, 60, 1000, 0.95, 0.0231, 0.0584),
        (25, 28, 618, 0.90, -0.0148, 0.0247),
    ],
)
def test_the_interval_is_that_of_another_program(lost, gained, n, confidence, lower, upper):
    assert difference_interval(lost, gained, n, confidence) == pytest.approx((lower, upper), abs=5e-5)


@unhurried
@given(outcomes(), st.sampled_from([0.8, 0.95, 0.99]), st.floats(-1, 1))
@example((0, 0, 1), 0.95, 0.0)
@example((7, 0, 7), 0.95, -1.0)
@example((0, 7, 7), 0.95, 1.0)
def test_the_interval_holds_what_the_test_does_not_reject(outcome, confidence, null):
    lower, upper = difference_interval(*outcome, confidence)
    assert -1 <= lower <= (outcome[1] - outcome[0]) / outcome[2] <= upper <= 1
    assert lower < upper
    assume(min(abs(null - lower), abs(null - upper)) > 1e-9)  # its ends are searched for to 1e-12
    accepted = abs(difference_z(*outcome, null)) < norm.ppf(0.5 + confidence / 2)
    assert (lower < null < upper) == accepted


@unhurried
@given(outcomes(), margins, margins)
def test_z_falls_as_the_hypothesis_rises(outcome, one, other):
    low, high = sorted((one, other))
    above, below = difference_z(*outcome, low), difference_z(*outcome, high)
    assert above >= below - 1e-6 * abs(below)


@settings(max_examples=50, deadline=None)
@given(outcomes(), margins)
def test_both_runs_exchanged_turn_the_answer_round(outcome, null):
    lost, gained, n = outcome
    assert difference_z(gained, lost, n, -null) == pytest.approx(
        -difference_z(lost, gained, n, null), rel=1e-6, abs=1e-6
    )
    lower, upper = difference_interval(lost, gained, n, 0.95)
    assert difference_interval(gained, lost, n, 0.95) == pytest.approx((-upper, -lower), abs=1e-9)
    assert mcnemar(lost, gained, "less") == mcnemar(gained, lost, "greater")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**6), st.sampled_from([0.9, 0.95]))
def test_where_nothing_changed_the_interval_narrows_with_the_documents(n, confidence):
    z = norm.ppf(0.5 + confidence / 2)
    assert difference_interval(0, 0, n, confidence) == pytest.approx(
        (-z * z / (n + z * z), z * z / (n + z * z)), abs=1e-11
    )


@settings(max_examples=30, deadline=None)
@given(outcomes(60), st.integers(1, 4))
def test_a_higher_confidence_is_a_wider_interval(outcome, step):
    narrow, wide = (difference_interval(*outcome, c) for c in (0.7, 0.7 + step * 0.07))
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


def test_everything_flipped():
    assert difference_interval(80, 0, 80, 0.95)[0] == -1
    assert difference_interval(80, 0, 80, 0.95)[1] == pytest.approx(
        -0.9084, abs=1e-4
    )  # Wilson's of 80 in 80, as a difference
    assert difference_z(80, 0, 80, -1.0) == 0
    assert difference_z(80, 0, 80, 1.0) == -math.inf
    assert difference_p(79, 0, 80, -1.0) == 0


def test_one_document_tells_little_and_nothing_breaks():
    assert difference_interval(1, 0, 1, 0.95)[0] == -1
    assert difference_interval(1, 0, 1, 0.95)[1] > 0
    assert mcnemar(1, 0, "less") == 0.5


@pytest.mark.parametrize(
    ("shares", "least"),
    [((0.02, 0.02), 0.97), ((0.05, 0.03), 0.95), ((0.15, 0.05), 0.94), ((0.3, 0.3), 0.945), ((0.08, 0.0), 0.94)],
)
def test_coverage_counted_over_every_outcome(shares, least):
    """Of 60 documents with true shares lost and gained: the chance that the 95 % interval holds the true difference."""
    lost, gained, n = table(60)
    cells = np.stack([lost, gained, n - lost - gained], 1)
    chances = multinomial(60, [*shares, 1 - sum(shares)]).pmf(cells)
    held = np.abs(difference_z(lost, gained, n, shares[1] - shares[0])) < norm.ppf(0.975)
    assert chances.sum() == pytest.approx(1)
    assert least <= chances[held].sum() <= 0.995


@pytest.mark.parametrize("n", [164, 500])
def test_a_loss_of_the_margin_passes_and_alarms_about_as_rarely_as_stated(n):
    """At 5 %, whatever the share that changes besides: the figures of docs/statistics.md."""
    margin = 0.02
    lost, gained, every = table(n)
    cells = np.stack([lost, gained, every - lost - gained], 1)
    passes, alarms = (difference_p(lost, gained, every, -margin, side) <= 0.05 for side in ("greater", "less"))
    for share in (0.0, 0.0025, 0.01, 0.02, 0.05, 0.1):
        chances = multinomial(n, [margin + share, share, 1 - margin - 2 * share]).pmf(cells)
        assert chances[passes].sum() < 0.0515
        assert chances[alarms].sum() < 0.0675


def test_arrays_are_their_elements():
    lost, gained, n = table(12)
    nulls = np.linspace(-0.9, 0.9, len(n))
    for tested in TESTS:
        each = [tested(*row) for row in zip(lost.tolist(), gained.tolist(), n.tolist(), nulls.tolist(), strict=True)]
        assert tested(lost, gained, n, nulls).tolist() == each
    assert mcnemar(lost, 3, "less").tolist() == [mcnemar(k, 3, "less") for k in lost.tolist()]
    assert type(mcnemar(1, 2)) is type(difference_p(1, 2, 9)) is type(difference_z(1, 2, 9)) is float
    assert difference_z(np.arange(3)[:, None], np.arange(4), 10, -0.1).shape == (3, 4)


@pytest.mark.parametrize(
    ("lost", "gained", "n", "null"),
    [
        *itertools.product([-1, 0.5, math.nan, math.inf], [1], [9], [0.0]),
        (1, 1, 9, 1.1),
        (1, 1, 9, math.nan),
        (5, 5, 9, 0.0),
        (0, 0, 0, 0.0),
    ],
)
def test_what_no_task_gives_is_refused(lost, gained, n, null):
    for tested in TESTS:
        with pytest.raises(ValueError, match=r"count|difference|documents"):
            tested(lost, gained, n, null)
    if not (lost == 5 or n == 0 or null):
        with pytest.raises(ValueError, match="count"):
            mcnemar(lost, gained)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, math.nan])
def test_a_confidence_is_between_0_and_1(confidence):
    with pytest.raises(ValueError, match="confidence"):
        difference_interval(1, 2, 9, confidence)
    with pytest.raises(ValueError, match="documents"):
        difference_interval(0, 0, 0, 0.95)


def test_an_alternative_is_one_of_three():
    with pytest.raises(ValueError, match="no alternative 'worse'"):
        mcnemar(1, 2, "worse")
