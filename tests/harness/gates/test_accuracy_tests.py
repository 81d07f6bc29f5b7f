"""The numbers of an accuracy row: closed forms, margins in the metric's own unit, log-likelihoods, clusters."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from support.gated import flips

RNG = np.random.default_rng(1)


def likelihoods(n, fall, noise=0.0):
    """Log-likelihoods of n texts of 10 to 50 words: reference, candidate and words."""
    words = RNG.integers(10, 50, n).astype(float)
    old = -0.9 * words * RNG.normal(1, 0.1, n)
    return list(old), list(old - fall * words + RNG.normal(0, noise, n)), list(words)


def test_right_and_wrong_is_mcnemar_and_tango(verdict):
    one = verdict(*flips(1000, 40, 10), entry={"ask": ("detect", "release"), "margin": 0.02}).numbers
    assert (one.n, one.lost, one.gained, one.difference) == (1000, 40, 10, pytest.approx(-0.03))
    assert one.detect_p == pytest.approx(stats.binomtest(40, 50, alternative="greater").pvalue)
    assert one.lower < -0.03 < one.upper
    assert (one.release_p + one.breach_p) == pytest.approx(1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(lost=st.integers(0, 30), gained=st.integers(0, 30))
def test_release_passes_exactly_where_its_interval_ends_above_the_margin(verdict, lost, gained):
    one = verdict(*flips(400, lost, gained), entry={"margin": 0.02})
    assert (one.status == "PASS") == (one.numbers.lower > -0.02)
    assert (one.status == "REGRESSED") == (one.numbers.upper < -0.02)


def test_an_identical_run_passes_where_the_margin_is_above_what_so_few_documents_can_tell(verdict):
    one = verdict(*flips(240, 0, 0), entry={"margin": "2pp"})
    assert (one.status, one.reason) == ("PASS", "no loss beyond the margin of 2pp")
    z = stats.norm.ppf(0.95)
    assert one.numbers.lower == pytest.approx(-(z**2) / (240 + z**2))


def test_an_identical_run_of_too_few_documents_is_underpowered_and_says_how_many_would_tell(verdict):
    one = verdict(*flips(64, 0, 0), entry={"margin": "1pp"})
    assert one.status == "UNDERPOWERED"
    assert one.numbers.needs == 268
    assert "needs 268 documents, and there are 64 in all: it cannot be told, whatever is run" in one.reason


def test_a_metric_of_which_less_is_better_is_turned_round(verdict):
    old, new = flips(500, 60, 0)
    worse = [1 - v for v in old], [1 - v for v in new]
    one = verdict(*worse, metric="error_rate", score={"higher_is_better": False})
    assert (one.status, one.numbers.lost, one.numbers.gained) == ("REGRESSED", 60, 0)
    assert one.numbers.difference == pytest.approx(0.12)
    assert one.numbers.lower < 0.12 < one.numbers.upper


def test_a_gain_is_no_anomaly(verdict):
    one = verdict(*flips(500, 0, 60), entry={"ask": ("detect", "release")})
    assert one.status == "PASS"
    assert one.reason.startswith("better")


@pytest.mark.parametrize(("fall", "status"), [(0.0, "PASS"), (0.005, "PASS"), (0.02, "REGRESSED")])
def test_a_perplexitys_margin_is_of_the_perplexity(verdict, fall, status):
    old, new, words = likelihoods(200, fall, noise=0.01)
    ppl = [math.exp(-sum(side) / sum(words)) for side in (old, new)]
    sides = [{"score": {"value": value, "higher_is_better": False}} for value in ppl]
    entry = {"ask": ("detect", "release"), "margin": {"relative": 0.01}, "gold_margin": 0.01}
    one = verdict(old, new, entry, *sides, metric="word_perplexity", columns={"weight": words})
    numbers = one.numbers
    assert one.status == status
    assert (numbers.reference, numbers.difference) == (pytest.approx(ppl[0]), pytest.approx(ppl[1] - ppl[0]))
    assert numbers.margin == pytest.approx(0.01 * ppl[0])
    assert numbers.detect_p is None
    assert numbers.gold.difference == pytest.approx((sum(new) - sum(old)) / sum(words))
    inside = numbers.upper < numbers.margin
    assert (numbers.release_p <= 0.05) == inside


def test_bits_have_their_margin_in_bits(verdict):
    old, new, words = likelihoods(300, 0.02 * math.log(2), noise=0.01)
    bits = [-sum(side) / sum(words) / math.log(2) for side in (old, new)]
    sides = [{"score": {"value": value, "higher_is_better": False}} for value in bits]
    one = verdict(old, new, {"margin": 0.01}, *sides, metric="bits_per_byte", columns={"weight": words})
    assert one.status == "REGRESSED"
    assert one.numbers.difference == pytest.approx(0.02, rel=0.05)


def test_the_right_answers_log_probability_alarms_beyond_its_margin_before_an_answer_flips(verdict):
    old, new = flips(400, 0, 0)
    gold = RNG.normal(-1, 0.3, 400)
    columns = [{"columns": {"gold_logprob": list(side)}} for side in (gold, gold - 0.02 + RNG.normal(0, 0.02, 400))]
    entry = {"ask": ("detect", "release"), "margin": "2pp", "gold_margin": 0.01}
    one = verdict(old, new, entry, *columns)
    assert (one.status, one.alarms, one.numbers.detect_p) == ("REGRESSED", ("gold",), 1.0)
    assert "within the margin of 2pp, and a loss all the same" in one.reason
    t = stats.ttest_1samp(columns[1]["columns"]["gold_logprob"] - gold, -0.01, alternative="less")
    assert one.numbers.gold.p_value == pytest.approx(t.pvalue)


def test_a_fall_within_the_gold_margin_is_none(verdict):
    gold = RNG.normal(-1, 0.3, 400)
    columns = [{"columns": {"gold_logprob": list(side)}} for side in (gold, gold - 0.009)]
    one = verdict(*flips(400, 0, 0), {"ask": ("detect",), "margin": "5pp", "gold_margin": 0.01}, *columns)
    assert (one.status, one.numbers.gold.p_value) == ("PASS", 1.0)


def test_documents_of_one_passage_count_once(verdict):
    old, new = [1.0] * 400, [0.0] * 40 + [1.0] * 360
    entry = {"ask": ("detect", "release"), "margin": "2pp"}
    passages = [f"c{i // 20}" for i in range(400)]
    one = verdict(old, new, entry, columns={"cluster": passages})
    assert (one.numbers.units, one.numbers.detect_p) == (20, pytest.approx(0.25))
    assert one.status == "UNDERPOWERED"


def test_rounding_of_real_values_is_no_loss(verdict):
    old = list(RNG.random(300))
    one = verdict(old, [v - 1e-6 for v in old], {"ask": ("detect",), "margin": "1pp"})
    assert (one.status, one.numbers.detect_p) == ("PASS", 1.0)


@pytest.mark.parametrize(("margin", "status"), [("10pp", "PASS"), ("2pp", "UNDERPOWERED")])
def test_detect_alone_passes_only_where_it_would_have_found_the_margin(verdict, margin, status):
    one = verdict(*flips(300, 3, 3), entry={"ask": ("detect",), "margin": margin})
    assert one.status == status
    assert ("could have been missed; needs" in one.reason) == (status == "UNDERPOWERED")


def test_a_margin_relative_to_a_score_of_0_is_none(verdict):
    one = verdict([0.0] * 300, [0.0] * 300, {"margin": {"relative": 0.1}})
    assert one.status == "UNDERPOWERED"
    assert "as the reference scores 0" in one.reason
