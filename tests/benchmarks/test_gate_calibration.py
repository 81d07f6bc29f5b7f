"""The gate's certificate: its page is what its figures give, its rule is the shipped policy's, its nights are what they say."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from support.paths import ROOT

from benchmarks.gate_calibration import nightly_rule
from benchmarks.nights import plan
from benchmarks.nights.alarms import heavy_nights, loss_nights, nights_tested, smallest
from benchmarks.nights.figures import plan_document
from benchmarks.nights.items import Documents, scale_of, shift_of
from benchmarks.nights.jobs import Job, done, jobs, loss_of
from benchmarks.nights.page import page_of
from benchmarks.nights.shares import share, share_in_series
from benchmarks.nights.speed import autocorrelated, speed_nights, trial_times

FIGURES = ROOT / "benchmarks" / "gate_calibration.json"
RERUNS = ROOT / "benchmarks" / "gate_reruns.json"
MMLU = plan.TASKS[0]
RULE = nightly_rule()
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def _read(path: Path):
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


@pytest.mark.skipif(not FIGURES.is_file(), reason="the figures are not made yet")
def test_the_certificate_is_what_its_figures_give():
    page = (ROOT / "docs" / "gate-certificate.md").read_text("utf-8")
    assert page == page_of(_read(FIGURES), _read(RERUNS))


@pytest.mark.skipif(not FIGURES.is_file(), reason="the figures are not made yet")
def test_the_certificate_is_of_the_shipped_policy_and_of_this_plan():
    assert _read(FIGURES)["plan"] == json.loads(json.dumps(plan_document(RULE)))


def test_every_test_of_the_plan_is_counted():
    assert plan.TESTS == {"accuracy": 180, "gold": 80, "speed": 20, "release": 180}
    assert plan.DOCUMENTS * plan.CELLS == 632_600


@pytest.mark.parametrize("discordance", plan.DISCORDANCES)
def test_two_runs_disagree_as_often_as_is_said(discordance):
    dice = np.random.default_rng(1)
    documents = Documents.drawn(dice, discordance, 200_000)
    a, b = (documents.margin + documents.shaken(dice, 1)[0] > 0 for _ in range(2))
    assert (a != b).mean() == pytest.approx(discordance, rel=0.05)
    assert abs(b.mean() - a.mean()) < 4 * math.sqrt(discordance / 200_000)


def test_heavy_nights_change_more_and_take_nothing():
    dice = np.random.default_rng(2)
    documents = Documents.drawn(dice, 0.04, 200_000)
    usual, heavy = (documents.margin + documents.shaken(dice, 1, np.array([heavy]))[0] > 0 for heavy in (False, True))
    first = documents.margin + documents.shaken(dice, 1)[0] > 0
    assert (heavy != first).mean() > 1.3 * (usual != first).mean()
    assert abs(heavy.mean() - 0.5) < 4 * math.sqrt(0.25 / 200_000)


@pytest.mark.parametrize("kind", ["spread", "few"])
def test_a_planted_loss_is_one_point(kind):
    found = loss_nights(np.random.default_rng(3), MMLU, 0.04, loss_of(kind, 0.04), 40, RULE)
    mean = (found.gained - found.lost).mean() / MMLU.documents
    assert mean == pytest.approx(-plan.LOSS, abs=4 * math.sqrt(0.05 / MMLU.documents / 40))
    assert (found.p <= RULE.threshold("accuracy")).mean() > 0.6
    assert (found.gold_p <= RULE.threshold("gold")).all()


def test_nights_without_a_loss_seldom_alarm_and_their_p_values_are_spread():
    heavy = heavy_nights((4,), 1, 6)
    tests = nights_tested(np.random.default_rng(4), 0.04, heavy, RULE)
    assert (smallest(tests.accuracy) > RULE.threshold("accuracy")).all()
    assert (tests.gold > RULE.threshold("gold")).all()
    assert binomtest(int((tests.gold_plain < 0.5).sum()), tests.gold_plain.size).pvalue > 1e-6


def test_a_slow_down_is_found_in_two_nights_and_clean_ones_are_quiet():
    heavy = heavy_nights((5,), 2, plan.NIGHTS_OF_A_BASELINE + plan.SLOW_NIGHTS)
    found = speed_nights(np.random.default_rng(5), 0.01, heavy)
    alarms = found.p <= RULE.threshold("speed")
    clean, slow = alarms[:, : plan.NIGHTS_OF_A_BASELINE], alarms[:, plan.NIGHTS_OF_A_BASELINE :]
    assert clean.mean() < 0.01
    assert slow.any(axis=1).mean() > 0.95
    assert found.raw[:, -1].mean() / found.raw[:, -3].mean() == pytest.approx(1.05, abs=0.03)


def test_what_a_night_does_falls_on_both_sides():
    heavy = np.zeros((4, 40, plan.CELLS), dtype=bool)
    levels = autocorrelated(np.random.default_rng(6), 0.02, heavy.shape)
    assert np.corrcoef(levels[:, 1:].ravel(), levels[:, :-1].ravel())[0, 1] == pytest.approx(0.6, abs=0.06)
    times = trial_times(np.random.default_rng(6), 0.01, heavy, 10)
    between = np.median(times, axis=3)
    assert np.std(between[..., 1] - between[..., 0]) < 0.6 * np.std(between[..., 0])


def test_a_job_gives_the_same_whoever_does_it():
    job = Job("accuracy", 0.02, 0, 1, 19, RULE)
    small = [job, Job("speed", 0.01, 0, 1, 19, RULE, ("20",))]
    for one in small:
        first, again = (done(one)[1] for _ in range(2))
        assert all(np.array_equal(first[name], again[name], equal_nan=True) for name in first)


def test_jobs_have_seeds_of_their_own():
    listed = list(jobs(40, 10, 19, RULE))
    draws = {float(job.dice().random()) for job in listed}
    assert len(draws) == len(listed)


def test_shares_have_exact_intervals_and_series_count_as_clusters():
    told = share(7, 1000)
    exact = binomtest(7, 1000).proportion_ci(0.95, method="exact")
    assert (told["lower"], told["upper"]) == pytest.approx((exact.low, exact.high))
    alike = np.zeros((50, 20), dtype=bool)
    alike[0] = True
    clumped = share_in_series(alike)
    assert clumped["design_effect"] > 10
    assert clumped["upper_by_series"] > clumped["upper"]
    assert clumped["series_with_alarm"] == 1


def test_a_shift_of_nothing_is_none_and_noise_grows_with_discordance():
    assert shift_of(0.04, 0.0) == 0.0
    assert scale_of(0.02) < scale_of(0.04) < scale_of(0.10)
