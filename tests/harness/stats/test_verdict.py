"""The verdict on a measured score beside a published one: exact where it can be worked by hand, and its properties."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.estimates import estimate_of_mean

from harness.stats import constants
from harness.stats.constants import Z
from harness.stats.estimate import Estimate
from harness.stats.reproduction import Protocols, margin_of, verdict

PLAIN = Protocols(rounding=0.0)
runs = st.integers(2, 1266).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


def measured(right, n, total=1267):
    return estimate_of_mean([1.0] * right + [0.0] * (n - right), unit_interval=True, total=total)


def judged(right, n, total=1267, published=0.8, margin=0.01, protocols=PLAIN, **more):
    return verdict(measured(right, n, total), n, total, published, margin, protocols, **more)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [(0.75, "reproduced"), (0.765625, "reproduced"), (0.765626, "not resolved"), (0.75 - 0.04, "differs")],
)
def test_of_a_whole_run_only_the_rounding_is_left(value, outcome):
    """Margin 1/64, rounding 1/128: binary fractions, so that sums are exact."""
    whole = Estimate(value, 0.01, value - 0.02, value + 0.02, whole_stderr=0.0)
    made = verdict(whole, 1000, 1000, 0.7578125, 0.015625, Protocols(rounding=0.0078125))
    assert made.outcome == outcome
    assert (made.lower, made.upper) == (made.difference - 0.0078125, made.difference + 0.0078125)
    assert made.needs_n is None
    assert (made.reason is None) == (outcome != "not resolved")


def test_the_interval_is_the_measured_one_shrunk_by_what_was_run():
    made, left = judged(480, 600), math.sqrt(1 - 600 / 1267)
    alone = measured(480, 600)
    assert made.difference == 0
    assert made.lower == pytest.approx(-left * (0.8 - alone.lower))
    assert made.upper == pytest.approx(left * (alone.upper - 0.8))


def test_sampling_on_the_sources_side_and_its_own_part_widen_it_in_squares():
    alone = Estimate(0.4, 0.05, 0.3, 0.5, whole_stderr=0.0, decoding_stderr=0.02)
    sampled = verdict(alone, 100, 100, 0.4, 0.1, Protocols(rounding=0.0, samples_here=20, samples_there=5))
    assert sampled.upper == pytest.approx(Z * 0.02 * 2)  # four times fewer samples there: twice the error
    part = verdict(alone, 100, 100, 0.4, 0.1, Protocols(rounding=0.0, part=0.2, drew_part=True))
    spread = 100 * max(0.05, 0.1 / Z) ** 2
    assert part.upper == pytest.approx(Z * math.sqrt(0.02**2 + 4 / 100 * spread))
    assert verdict(alone, 100, 100, 0.4, 0.1, Protocols(rounding=0.0, drew_part=True)).upper is None


@given(runs, st.floats(0, 1), st.floats(0.001, 0.2), st.floats(0, 0.005))
def test_the_verdict_follows_from_the_interval_and_the_margin_alone(run, published, margin, rounding):
    n, right = run
    made = judged(right, n, published=published, margin=margin, protocols=Protocols(rounding=rounding))
    assert made.lower <= made.difference <= made.upper
    inside = made.lower >= -margin and made.upper <= margin
    outside = made.lower > margin or made.upper < -margin
    assert made.outcome == ("reproduced" if inside else "differs" if outside else "not resolved")


@given(runs, st.floats(0, 1), st.floats(0.001, 0.2))
def test_what_is_needed_would_tell_if_the_difference_stayed(run, published, margin):
    n, right = run
    made = judged(right, n, published=published, margin=margin)
    assume(made.needs_n is not None)
    assert n < made.needs_n <= 1267
    alone = measured(right, n)
    spread = n * max(alone.stderr, (alone.upper - alone.lower) / (2 * Z)) ** 2
    half = Z * math.sqrt(spread / made.needs_n * (1 - made.needs_n / 1267))
    distance = abs(abs(made.difference) - margin)
    assert half <= distance * (1 + 1e-9)


@given(runs, st.floats(0, 1), st.floats(0.001, 0.2))
def test_it_is_the_same_from_the_other_side(run, published, margin):
    n, right = run
    made, mirrored = (
        judged(k, n, published=p, margin=margin) for k, p in ((right, published), (n - right, 1 - published))
    )
    assert mirrored.difference == pytest.approx(-made.difference, abs=1e-12)
    assert mirrored.upper == pytest.approx(-made.lower, abs=1e-12)
    assume(min(abs(abs(end) - margin) for end in (made.lower, made.upper)) > 1e-9)
    assert mirrored.outcome == made.outcome


@given(st.integers(1, 60))
def test_a_handful_of_right_answers_never_reproduces_a_perfect_score(n):
    assert judged(n, n, published=1.0).outcome != "reproduced"


@given(runs, st.floats(0, 1))
def test_what_is_not_the_same_measurement_has_no_verdict_but_its_reason(run, published):
    n, right = run
    made, told = judged(right, n, published=published), judged(right, n, published=published, incomparable="3 shots")
    assert (told.outcome, told.reason, told.needs_n) == ("not comparable", "3 shots", None)
    assert (told.difference, told.lower, told.upper) == (made.difference, made.lower, made.upper)


def test_without_an_interval_or_a_total_nothing_is_resolved():
    bare = verdict(Estimate(0.8), 10, 100, 0.8, 0.01, PLAIN)
    assert (bare.outcome, bare.lower, bare.reason) == ("not resolved", None, "the measured score has no interval")
    assert verdict(measured(8, 10), 10, None, 0.8, 0.01, PLAIN).lower is None
    with pytest.raises(ValueError, match="without a value"):
        verdict(Estimate(None), 10, 100, 0.8, 0.01, PLAIN)


def test_a_stderr_of_zero_is_not_taken_for_certainty():
    perfect = measured(40, 40)
    assert perfect.stderr == 0
    assert judged(40, 40, published=1.0).needs_n == verdict(
        replace(perfect, stderr=None, whole_stderr=None), 40, 1267, 1.0, 0.01, PLAIN
    ).needs_n  # fmt: skip


def test_the_margin_is_the_suites_or_a_point_or_the_fewshot_spread():
    assert margin_of(0.03, 3, 0.5) == margin_of(0.03, 1, None)
    assert (margin_of(0.03, 1, None).width, margin_of(0.03, 1, None).basis) == (0.03, "stated by the suite")
    assert (margin_of(None, 1, None).width, margin_of(None, 2, 0.001).width) == (constants.POINT, constants.POINT)
    wide = margin_of(None, 3, 0.01)
    assert (wide.width, wide.basis) == (Z * math.sqrt(2) * 0.01, "3 draws of few-shot examples")
