"""From arms to one number a seed: differences, percentages, factors of tokens, and what has none."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.findings import result, whole_seed

from harness.findings.contrast import Reached, arms_of, pairs_of, reached
from harness.findings.finding import Contrast, PaperFigure, TokenRatio
from zoo.reproduce.record import ArmResult, Losses

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PAPER = PaperFigure(says="x", source="y", place="z")
BASE = {"id": "one", "sentence": "One.", "paper": PAPER, "small_scale": "Small."}
DIFFERENCE = Contrast(**BASE, kind="superiority", better="l2-mean kl", worse="l2-mean clm", margin=0.01)
TOKENS = TokenRatio(
    **BASE, kind="more", distilled=("l2-mean kl x0.5", "l2-mean kl"), scratch=("scratch clm by muon", "scratch clm by muon x4"),
    within=0.1, margin=1.25,
)  # fmt: skip


def with_losses(**losses):
    return whole_seed(1, lambda arm: losses.get(arm, 9.0))


def test_a_difference_is_what_the_preferred_arm_loses_less():
    seeds = {
        1: {
            **with_losses(),
            "l2-mean kl": result("l2-mean kl", loss=2.0),
            "l2-mean clm": result("l2-mean clm", loss=2.5),
        }
    }
    (pair,) = pairs_of(DIFFERENCE, seeds).found
    assert pair.value == pytest.approx(0.5)
    assert pair.by_documents == pytest.approx(0.0, abs=1e-9)
    percent = DIFFERENCE.model_copy(update={"unit": "percent"})
    assert pairs_of(percent, seeds).found[0].value == pytest.approx(20.0)


def test_the_error_by_documents_weighs_them_by_their_tokens():
    tokens, better, worse = (10, 20, 40), (5.0, 30.0, 50.0), (8.0, 31.0, 62.0)
    arms = {
        "l2-mean kl": ArmResult("l2-mean kl", 1, {"own": Losses(tokens, better)}, 1, 1, 0, 0),
        "l2-mean clm": ArmResult("l2-mean clm", 1, {"own": Losses(tokens, worse)}, 1, 1, 0, 0),
    }
    (pair,) = pairs_of(DIFFERENCE, {1: arms}).found
    share = np.array(tokens) / sum(tokens)
    differ = (np.array(worse) - np.array(better)) / np.array(tokens)
    mean = float(share @ differ)
    assert pair.value == pytest.approx(mean)
    assert pair.by_documents == pytest.approx(math.sqrt(3 / 2 * float(((share * (differ - mean)) ** 2).sum())))


def test_a_seed_without_an_arm_or_with_a_diverged_one_is_named():
    diverged = ArmResult("l2-mean clm", 2, {}, 0, 0, 0, 0, "The loss of step 3 is NaN.")
    seeds = {1: {"l2-mean kl": result("l2-mean kl")}, 2: {**whole_seed(2), "l2-mean clm": diverged}}
    found = pairs_of(DIFFERENCE, seeds)
    assert found.found == ()
    assert found.left_out == ("seed 1 has no l2-mean clm yet", "seed 2: l2-mean clm diverged")


def test_between_two_points_a_curve_is_a_line_in_the_logarithm_of_tokens():
    assert reached([(100, 3.0), (400, 1.0)], 2.5) == Reached(pytest.approx(math.sqrt(2) * 100))
    assert reached([(400, 1.0), (100, 3.0)], 1.0).tokens == pytest.approx(400)


@SETTINGS
@given(st.lists(st.floats(0.5, 5), min_size=2, max_size=6), st.floats(0.4, 5.1))
def test_a_loss_is_reached_inside_the_curve_or_is_a_bound_at_its_end(losses, target):
    curve = [(2**at, loss) for at, loss in enumerate(losses)]
    found = reached(curve, target)
    assert 1 <= found.tokens <= 2 ** (len(losses) - 1)
    assert (found.side == "later") == (min(losses) > target)
    assert (found.side == "earlier") == (losses[0] <= target)


@pytest.mark.parametrize(
    ("distilled", "scratch", "factor", "bound"),
    [
        ((2.4, 2.0), (2.6, 2.1), 4.0 ** (0.4 / 0.5) * 2 ** (1 - 0.2 / 0.4), ""),
        ((2.1, 2.0), (2.6, 2.1), 4.0 ** (0.4 / 0.5) * 2, "at least"),
        ((2.4, 2.0), (2.9, 2.5), 4.0 * 2 ** (1 - 0.2 / 0.4), "at least"),
        ((2.9, 2.5), (2.6, 2.1), 4.0 ** (0.4 / 0.5), "at most"),
    ],
    ids=["both cross", "distilled below at once", "scratch never", "distilled never"],
)
def test_a_factor_of_tokens_or_its_bound(distilled, scratch, factor, bound):
    losses = dict(zip((*TOKENS.distilled, *TOKENS.scratch), (*distilled, *scratch), strict=True))
    arms = whole_seed(1, lambda arm: losses.get(arm, 2.0))
    # the teacher loses 2.0, so the loss to come to is 2.2; tokens of an arm are those that NANO plans, which are whole steps
    planned = {name: arms[name].tokens for name in arms_of(TOKENS)}
    scale = planned["scratch clm by muon"] / planned["l2-mean kl"]
    (pair,) = pairs_of(TOKENS, {1: arms}).found
    assert math.exp(pair.value) == pytest.approx(factor * scale, rel=0.02)
    assert pair.bound == bound


@pytest.mark.parametrize("losses", [(2.9, 2.5, 2.9, 2.5), (2.1, 2.0, 2.1, 2.0)], ids=["neither", "both at once"])
def test_two_curves_beyond_the_loss_tell_nothing(losses):
    told = dict(zip((*TOKENS.distilled, *TOKENS.scratch), losses, strict=True))
    found = pairs_of(TOKENS, {7: whole_seed(7, lambda arm: told.get(arm, 2.0))})
    assert found.found == ()
    assert found.left_out == ("seed 7: no curve crosses 10 % above the teacher's loss",)
