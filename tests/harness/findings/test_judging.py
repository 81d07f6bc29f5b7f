"""The verdict by exact arithmetic: Student's intervals, both one-sided tests at the margin, bounds, and too few seeds."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import t, ttest_1samp

from harness.findings.contrast import Paired, Pairs
from harness.findings.finding import Contrast, PaperFigure, TokenRatio, load_findings
from harness.findings.judge import judge
from harness.findings.seeds import mean_power

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PAPER = PaperFigure(says="x", source="y", place="z")
BASE = {"id": "one", "sentence": "One.", "paper": PAPER, "small_scale": "Small."}
VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 4)), min_size=3, max_size=10).filter(
    lambda values: max(values) - min(values) > 0.001
)


def contrast(kind, margin=0.1):
    return Contrast(**BASE, kind=kind, better="a", worse="b", margin=margin)


def tokens(kind="more", factor=1.0):
    return TokenRatio(
        **BASE, kind=kind, distilled=("a", "b"), scratch=("c", "d"), within=0.1, factor=factor, margin=1.25
    )


def over(finding, *values, bounds=()):
    told = [*bounds, *[""] * (len(values) - len(bounds))]
    pairs = (Paired(at, value, 0.01, bound) for at, (value, bound) in enumerate(zip(values, told, strict=True)))
    return judge(finding, Pairs(tuple(pairs)))


def test_the_interval_is_students():
    found = over(contrast("superiority"), 1.0, 2.0, 3.0)
    half = 4.302652729911275 / math.sqrt(3)
    assert (found.value, found.lower, found.upper) == (2.0, pytest.approx(2 - half), pytest.approx(2 + half))
    assert found.seeds_sd == pytest.approx(1.0)
    assert found.documents_sd == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0.2, 0.21, 0.19, 0.2), "same"),
        ((0.01, 0.011, 0.009, 0.01), "same"),
        ((-0.2, -0.21, -0.19, -0.2), "different"),
        ((0.01, -0.01, 0.012, -0.01), "different"),
        ((0.3, -0.1, 0.2, 0.0), "not resolved"),
    ],
    ids=["better", "better by less than counts", "worse", "nothing that counts", "wide"],
)
def test_superiority(values, word):
    assert over(contrast("superiority"), *values).word == word


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0.0, 0.01, -0.01, 0.0), "same"),
        ((0.5, 0.51, 0.49), "same"),
        ((-0.05, -0.051, -0.049), "same"),
        ((-0.2, -0.21, -0.19), "different"),
        ((0.2, -0.2, 0.1, -0.1), "not resolved"),
    ],
    ids=["alike", "better", "worse within the margin", "worse", "wide"],
)
def test_no_worse(values, word):
    assert over(contrast("no-worse"), *values).word == word


@SETTINGS
@given(VALUES, st.sampled_from([0.05, 0.2, 0.5]))
def test_equivalence_is_both_one_sided_tests(values, margin):
    found = over(contrast("equivalent", margin), *values)
    above = ttest_1samp(values, -margin, alternative="greater").pvalue
    below = ttest_1samp(values, margin, alternative="less").pvalue
    if abs(max(above, below) - 0.05) > 1e-9:
        assert (found.word == "same") == (max(above, below) < 0.05)
    if found.word == "different":
        assert found.lower > margin or found.upper < -margin


def test_equivalence_at_the_margin_itself():
    """The 90 % interval is what the two tests draw: just inside the margin they reject, just outside they do not."""
    values = [0.01, 0.03, 0.02, 0.04]
    half = float(t.ppf(0.95, 3)) * 0.01290994448735806 / 2
    assert over(contrast("equivalent", 0.025 + half + 1e-6), *values).word == "same"
    assert over(contrast("equivalent", 0.025 + half - 1e-6), *values).word == "not resolved"


@SETTINGS
@given(VALUES)
def test_what_is_not_resolved_says_how_many_seeds_would_tell(values):
    found = over(contrast("superiority"), *values)
    if found.word != "not resolved" or found.needed is None:
        return
    ways = [mean_power(found.needed, shift, found.seeds_sd, 0.025) for shift in (found.value, 0.1 - found.value)]
    assert max(ways) >= 0.8
    assert found.needed > 2


def test_a_factor_is_judged_as_a_logarithm_and_shown_as_a_factor():
    found = over(tokens(), math.log(4), math.log(5), math.log(6.25))
    assert found.value == pytest.approx(5.0)
    assert found.lower * found.upper == pytest.approx(25.0)
    assert found.word == "same"
    assert over(tokens(), 0.0, 0.01, -0.01).word == "different"


def test_a_factor_of_forty_is_the_same_where_the_interval_lies_above_it_less_the_margin():
    forty = tokens("at-least", 40.0)
    assert over(forty, *map(math.log, (39, 40, 41))).word == "same"
    assert over(forty, *map(math.log, (30, 40, 52))).word == "not resolved"
    assert over(forty, *map(math.log, (4, 5, 6))).word == "different"


def test_lower_bounds_open_the_interval_above():
    few = (math.log(4), math.log(5), math.log(6))
    found = over(tokens(), *few, bounds=("at least",))
    assert (found.word, found.upper, found.bound) == ("same", None, "at least")
    assert over(tokens("at-least", 40.0), *few, bounds=("at least",)).word == "not resolved"
    low = over(tokens(), 0.0, 0.01, -0.01, bounds=("at most",))
    assert (low.word, low.lower) == ("different", None)
    assert over(tokens(), *few, bounds=("at least", "at most")).word == "not resolved"


def test_too_few_seeds_have_no_interval_and_say_so():
    found = over(contrast("superiority"), 0.5, 0.6)
    assert (found.word, found.value, found.lower, found.upper, found.needed) == ("too few seeds", 0.55, None, None, 3)
    assert over(contrast("superiority")).value is None


def test_the_committed_findings_have_a_place_in_the_papers_and_arms_of_their_own():
    from harness.findings.contrast import arms_of
    from harness.findings.folder import NAMES

    findings = load_findings()
    assert len({each.id for each in findings}) == len(findings)
    for each in findings:
        assert set(arms_of(each)) <= set(NAMES), each.id
