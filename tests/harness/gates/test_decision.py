"""What two answers come to, and what a plan's statuses come to: the table in docs/gate.md is what the code does."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

from harness.gates.decision import STATUSES, UNDECIDED, Answers, decide, exit_code
from harness.gates.policy import Underpowered

TIERS = ("critical", "supporting", "advisory")
DEFAULT = Underpowered()
DETECT, RELEASE = ("alarm", "quiet", "too few"), ("within", "straddles", "beyond")


def table_in_docs():
    """The rows below the heading, as lists of cells."""
    _, _, after = (ROOT / "docs/gate.md").read_text("utf-8").partition("## Status and exit code")
    lines = [line for line in after.partition("\n- ")[0].splitlines() if line.startswith("|")]
    heading, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert heading == ["detect", "release", "status", *TIERS]
    return rows


def answer(word):
    return None if word == "not asked" else word


def test_the_documented_table_has_every_combination_once():
    told = [(answer(row[0]), answer(row[1])) for row in table_in_docs()]
    every = {(d, r) for d in (None, *DETECT) for r in (None, *RELEASE)} - {(None, None)}
    assert len(told) == len(every)
    assert set(told) == every


@pytest.mark.parametrize("row", table_in_docs(), ids=lambda row: f"{row[0]}, {row[1]}")
def test_the_documented_table_is_what_the_code_gives(row):
    detect, release, status, *codes = row
    assert decide(Answers(answer(detect), answer(release))) == status
    beside = ("critical", "PASS")  # alone, an undecided row of any tier would still have been compared
    assert [exit_code([(tier, status), beside], DEFAULT) for tier in TIERS] == [int(code) for code in codes]


def test_an_entry_that_asks_nothing_has_no_answer():
    with pytest.raises(ValueError, match="asks something"):
        decide(Answers())


rows = st.lists(st.tuples(st.sampled_from(TIERS), st.sampled_from(STATUSES)), max_size=8)
policies = st.builds(Underpowered, **{tier: st.sampled_from(["fail", "warn"]) for tier in TIERS})


@given(rows, policies)
def test_a_regression_that_counts_wins_and_nothing_compared_never_passes(verdicts, underpowered):
    code = exit_code(verdicts, underpowered)
    assert (code == 1) == any(status == "REGRESSED" and tier != "advisory" for tier, status in verdicts)
    compared = [status for _, status in verdicts if status not in ("MISSING", "INCOMPARABLE")]
    assert code != 0 or compared
    if code == 0:
        assert not any(status in UNDECIDED and underpowered.fails(tier) for tier, status in verdicts)


@pytest.mark.parametrize(("tier", "code"), [("critical", 0), ("supporting", 3)])
def test_each_tier_says_itself_whether_what_cannot_be_told_fails(tier, code):
    asked = Underpowered(critical="warn", supporting="fail")
    assert exit_code([(tier, "UNDERPOWERED"), ("advisory", "PASS")], asked) == code


def test_an_empty_plan_is_no_pass():
    assert exit_code([], Underpowered(critical="warn")) == 3


def test_the_documented_statuses_are_all():
    told = re.findall(r"^\| ([A-Z]+) \|", (ROOT / "docs/gate.md").read_text("utf-8"), re.MULTILINE)
    assert set(told) == set(STATUSES)
