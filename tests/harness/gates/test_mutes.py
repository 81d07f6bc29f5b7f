"""Known regressions: muted until their day, told afterwards, and told where they mute nothing."""

from datetime import date

import pytest
from support.gated import flips, policy, side, task

from harness.gates.gate import gate_pairs
from harness.gates.policy import Mute

UNTIL = date(2026, 12, 24)


def outcome(mute, today=date(2026, 12, 1), lost=100):
    old, new = flips(500, lost, 0)
    pair = side("old", task("old", old)), side("new", task("new", new))
    known = Mute(**{"task": "winogrande", "owner": "anna", "reason": "new kernel", "until": UNTIL} | mute)
    return gate_pairs(policy({"margin": 0.02}, mute=(known,)), [pair], today=today)


@pytest.mark.parametrize("mute", [{}, {"task": "wino*"}, {"model": "n?w"}])
@pytest.mark.parametrize("today", [date(2026, 12, 1), UNTIL])
def test_a_regression_that_is_muted_fails_nothing_and_says_who_answers_for_it(mute, today):
    found = outcome(mute, today)
    (verdict,) = found.verdicts
    assert (verdict.status, found.exit_code) == ("MUTED", 0)
    assert verdict.reason.startswith("muted by anna until 2026-12-24: new kernel; the loss is larger")


def test_a_mute_that_ended_is_told_and_counts_no_more():
    found = outcome({}, date(2026, 12, 25))
    (verdict,) = found.verdicts
    assert (verdict.status, found.exit_code) == ("REGRESSED", 1)
    assert verdict.reason.endswith("anna's mute of it ended on 2026-12-24 (new kernel)")


@pytest.mark.parametrize("mute", [{"task": "gsm8k"}, {"model": "another"}])
def test_a_mute_of_something_else_mutes_nothing_and_is_told(mute):
    found = outcome(mute)
    assert (found.verdicts[0].status, found.exit_code) == ("REGRESSED", 1)
    assert any("matches nothing in the plan" in note for note in found.notes)


def test_a_mute_of_what_passes_is_told_to_be_needed_no_longer():
    found = outcome({}, lost=0)
    assert found.verdicts[0].status == "PASS"
    assert any("no longer needed" in note for note in found.notes)


def test_what_cannot_be_told_is_not_muted():
    assert outcome({}, lost=5).verdicts[0].status == "UNDERPOWERED"
