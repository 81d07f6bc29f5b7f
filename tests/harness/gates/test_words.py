"""The headline and the lines beside the table: what a reader sees first."""

import pytest
from support.gated import flips, policy, side, task

from harness.gates.gate import gate_pairs
from harness.gates.outcome import document


def outcome(*lost, **entry):
    pairs = []
    for at, number in enumerate(lost):
        old, new = flips(500, number, 0)
        pairs.append((side("old", task("old", old)), side(f"new{at}", task("new", new))))
    return gate_pairs(policy({"margin": 0.02, **entry}), pairs)


@pytest.mark.parametrize(
    ("lost", "entry", "headline"),
    [
        ((0,), {}, "PASS: 1 PASS of 1"),
        ((60, 0), {}, "REGRESSED: 1 REGRESSED, 1 PASS of 2: new0 winogrande (acc)"),
        ((6, 0), {}, "UNDECIDED: 1 UNDERPOWERED, 1 PASS of 2: new0 winogrande (acc)"),
        ((60, 0), {"tier": "advisory"}, "PASS: 1 REGRESSED, 1 PASS of 2"),
        ((60,) * 5, {}, f"REGRESSED: 5 REGRESSED of 5: {'; '.join(f'new{i} winogrande (acc)' for i in range(3))} and 2 more"),
    ],
)  # fmt: skip
def test_the_headline_is_the_verdict_and_what_made_it(lost, entry, headline):
    assert outcome(*lost, **entry).headline == headline


def test_what_is_asked_of_nothing_is_told():
    detect, release = outcome(0).told_alpha()
    assert detect == "detect: asked of nothing."
    assert release.startswith("release: each entry at 95 %, one-sided; a loss beyond the margin by Holm over 1 entry")


def test_the_document_has_every_number():
    told = document(outcome(60, ask=("detect", "release")))
    assert (told["verdict"], told["exit_code"], told["counts"]) == ("REGRESSED", 1, {"REGRESSED": 1})
    (verdict,) = told["verdicts"]
    assert verdict["pair"]["model"] == "new0"
    assert (verdict["numbers"]["lost"], verdict["numbers"]["gained"], verdict["numbers"]["n"]) == (60, 0, 500)
    assert verdict["alarms"] == ("accuracy", "release")
    assert told["alpha"]["accuracy"] == {"alpha": 0.005, "tests": 1, "first_step": 0.005}
