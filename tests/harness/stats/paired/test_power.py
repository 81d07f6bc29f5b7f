"""Power before spending: against every outcome written out, against closed forms and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq
from support.paths import ROOT

from harness.stats.paired.binary import mcnemar
from harness.stats.paired.power import (
    critical,
    paired_detectable,
    paired_needed,
    paired_power,
    real_detectable,
    unpaired_needed,
    unpaired_power,
)

unhurried = settings(deadline=None, max_examples=50)  # a busy machine may take its time


def enumerated_power(n, discordant, loss, alpha):
    """The chance of every (lost, gained) that McNemar rejects."""
    lost, gained = (discordant + loss) / 2, (discordant - loss) / 2
    cells = np.array([(k, g, n - k - g) for k in range(n + 1) for g in range(n + 1 - k)])
    chances = stats.multinomial(n, [lost, gained, 1 - discordant]).pmf(cells)
    return chances[mcnemar(cells[:, 0], cells[:, 1], "less") <= alpha].sum()


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize(
    ("n", "discordant", "loss"), [(40, 0.3, 0.2), (25, 0.5, 0.0), (60, 0.1, 0.1), (30, 1.0, 0.4), (8, 0.9, 0.9)]
)
def test_paired_power_is_the_sum_over_every_outcome(n, discordant, loss, alpha):
    assert paired_power(n, discordant, loss, alpha) == pytest.approx(
        enumerated_power(n, discordant, loss, alpha), abs=1e-9
    )


def test_paired_power_of_a_real_task_is_what_simulated_nights_give():
    dice = np.random.default_rng(8)
    nights = dice.multinomial(10_042, [0.025, 0.015, 0.96], 20_000)
    caught = np.mean(mcnemar(nights[:, 0], nights[:, 1], "less") <= 0.001)
    # Four standard errors of 20,000 nights
    assert paired_power(10_042, 0.04, 0.01, 0.001) == pytest.approx(
        caught, abs=4 * math.sqrt(caught * (1 - caught) / 20_000)
    )


@unhurried
@given(st.integers(0, 200), st.floats(1e-6, 0.4))
def test_the_critical_number_is_the_first_that_rejects(changed, alpha):
    first = int(critical(np.array([changed]), alpha)[0])
    assert 0 < first <= changed + 1
    assert first == changed + 1 or mcnemar(first, changed - first, "less") <= alpha
    assert mcnemar(first - 1, changed - first + 1, "less") > alpha


@unhurried
@given(st.integers(1, 3000), st.floats(0.01, 1), st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.05, 0.001]))
def test_a_larger_loss_is_found_no_more_rarely(n, discordant, one, other, alpha):
    small, large = (share * discordant for share in sorted((one, other)))
    low, high = paired_power(n, discordant, small, alpha), paired_power(n, discordant, large, alpha)
    assert 0 <= low <= high + 1e-9
    assert high <= 1 + 1e-9
    assert paired_power(n, discordant, 0.0, alpha) <= alpha + 1e-9


@pytest.mark.parametrize(
    ("discordant", "loss"), [(0.08, 0.06), (0.3, 0.2), (0.9, 0.2), (1.0, 0.3), (1.0, 1.0), (0.1, 0.1)]
)
@pytest.mark.parametrize("power", [0.5, 0.8])
def test_needed_is_the_first_number_of_documents_that_does(discordant, loss, power):
    first = next(n for n in range(1, 5000) if paired_power(n, discordant, loss, 0.05) >= power)
    assert paired_needed(discordant, loss, 0.05, power) == first


@pytest.mark.parametrize(("n", "discordant"), [(14_042, 0.02), (14_042, 0.1), (10_042, 0.04), (1319, 0.04), (500, 0.2)])
def test_detectable_is_the_loss_whose_power_it_is(n, discordant):
    found = paired_detectable(n, discordant, 0.05, 0.8)
    assert paired_power(n, discordant, found, 0.05) == pytest.approx(0.8, abs=1e-5)
    # Normal approximation: (z₀.₉₅ + z₀.₈)·√(discordant/n) = 2.486·√(d/n)
    assert found == pytest.approx(2.486 * math.sqrt(discordant / n), rel=0.05)
    assert paired_needed(discordant, found * 1.0001, 0.05, 0.8) <= n


def test_humaneval_cannot_gate_two_points():
    assert paired_detectable(164, 0.02, 0.05, 0.8) is None  # not even if all that change are lost
    assert paired_detectable(164, 0.10, 0.05, 0.8) > 0.06
    assert paired_needed(0.04, 0.02, 0.05, 0.8) > 500


def test_one_point_on_all_of_mmlu_and_hellaswag_is_found():
    assert paired_power(14_042, 0.04, 0.01, 0.001) > 0.99
    assert paired_power(10_042, 0.04, 0.01, 0.001) > 0.95
    assert paired_power(10_042, 0.10, 0.01, 0.001) < 0.7


@pytest.mark.parametrize(
    ("task", "share", "n"),
    [("MMLU", 0.695, 14_042), ("HellaSwag", 0.83, 10_042), ("GSM8K", 0.585, 1319), ("HumanEval", 0.362, 164)],
)
def test_the_page_prints_what_is_computed(task, share, n):
    paired = [paired_detectable(n, discordant, 0.05, 0.8) for discordant in (0.02, 0.04, 0.1)]
    unpaired = brentq(lambda loss: unpaired_power(n, share, loss, 0.05) - 0.8, 1e-4, share)
    cells = ["none" if found is None else f"{100 * found:.2f}" for found in (*paired, unpaired)]
    (row,) = [
        line for line in (ROOT / "docs/statistics.md").read_text("utf-8").splitlines() if line.startswith(f"| {task} (")
    ]
    assert row.replace(" points", "").split(" | ")[2:] == [*cells[:3], f"{cells[3]} |"]


def test_what_cannot_be_has_no_power():
    assert paired_power(0, 0.1, 0.01, 0.05) == 0
    assert paired_power(100, 0.0, 0.0, 0.05) == 0
    assert paired_power(100, 0.01, 0.02, 0.05) == 0
    assert paired_needed(0.01, 0.02, 0.05, 0.8) is None
    assert paired_needed(0.1, 0.0, 0.05, 0.8) is None
    assert paired_detectable(0, 0.1, 0.05, 0.8) is None
    assert paired_detectable(100, 0.0, 0.05, 0.8) is None
    assert unpaired_power(0, 0.5, 0.1, 0.05) == 0
    assert unpaired_power(100, 0.1, 0.2, 0.05) == 0
    assert unpaired_needed(0.1, 0.2, 0.05, 0.8) is None
    assert unpaired_needed(0.5, 0.0, 0.05, 0.8) is None


def test_more_documents_than_there_can_be_are_none():
    assert paired_needed(0.9, 1e-6, 0.05, 0.8) is None


@pytest.mark.parametrize(("share", "loss"), [(0.7, 0.05), (0.3, 0.1), (0.9, 0.02)])
def test_unpaired_power_is_what_simulated_runs_give(share, loss):
    n, dice = 900, np.random.default_rng(6)
    a, b = dice.binomial(n, share, 40_000) / n, dice.binomial(n, share - loss, 40_000) / n
    pooled = (a + b) / 2
    caught = np.mean((b - a) / np.sqrt(2 * pooled * (1 - pooled) / n) < stats.norm.ppf(0.05))
    # Four standard errors of 40,000, and as much for the normal approximation at 900 documents
    assert unpaired_power(n, share, loss, 0.05) == pytest.approx(caught, abs=0.02)


def test_unpaired_documents_by_hand():
    """0.40 and 0.25 at one-sided 2.5 %, 80 %: ((1.96·√(2·0.325·0.675) + 0.8416·√(0.24 + 0.1875))/0.15)²."""
    assert unpaired_needed(0.40, 0.15, 0.025, 0.8) == 152
    assert unpaired_power(152, 0.40, 0.15, 0.025) >= 0.8 > unpaired_power(151, 0.40, 0.15, 0.025)
    assert unpaired_power(10, 1.0, 1.0, 0.05) == 1.0


@unhurried
@given(st.floats(0.05, 1), st.floats(0.05, 1), st.sampled_from([0.05, 0.001]), st.sampled_from([0.5, 0.8, 0.95]))
def test_unpaired_needed_is_the_first_number_that_does(share, part, alpha, power):
    loss = share * part
    needed = unpaired_needed(share, loss, alpha, power)
    assert unpaired_power(needed, share, loss, alpha) >= power - 1e-9
    assert needed == 1 or unpaired_power(needed - 1, share, loss, alpha) < power + 1e-9


@pytest.mark.parametrize("freedom", [1, 5, 56, 14_041])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_a_real_valued_loss_is_found_with_the_power_of_the_noncentral_t(freedom, alpha):
    found = real_detectable(0.002, freedom, alpha, 0.8)
    assert stats.nct.sf(stats.t.isf(alpha, freedom), freedom, found / 0.002) == pytest.approx(0.8, abs=1e-5)


def test_an_error_of_nothing_tells_of_no_loss_that_could_be_found():
    assert real_detectable(0.0, 99, 0.05, 0.8) is None
    assert real_detectable(None, 0, 0.05, 0.8) is None
    assert real_detectable(0.1, 0, 0.05, 0.8) is None


@pytest.mark.parametrize("wrong", [-0.1, 1.5, math.nan])
def test_shares_alphas_and_powers_are_shares(wrong):
    for call in (
        lambda: paired_power(100, wrong, 0.01, 0.05),
        lambda: paired_power(100, 0.1, wrong, 0.05),
        lambda: paired_power(100, 0.1, 0.01, wrong),
        lambda: paired_detectable(100, 0.1, 0.05, wrong),
        lambda: paired_needed(0.1, 0.01, wrong, 0.8),
        lambda: paired_needed(0.1, 0.01, 0.05, wrong),
        lambda: unpaired_power(100, wrong, 0.01, 0.05),
        lambda: unpaired_needed(0.5, 0.01, 0.05, wrong),
        lambda: real_detectable(0.1, 9, wrong, 0.8),
    ):
        with pytest.raises(ValueError, match=r"lie between|no shares"):
            call()
