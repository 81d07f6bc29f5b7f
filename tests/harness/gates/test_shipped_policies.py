"""The policies that come with minizoo, on the records of reference and on the papers' suite with made-up answers."""

from dataclasses import replace

import pytest
from support.gated import flips, side, task

from harness.compare.resolve import resolve_side
from harness.gates.gate import gate_pairs
from harness.gates.loading import load_policy, policy_names
from harness.suites.suite import load_suite

DOCUMENTS = {
    "mmlu": 14042, "hellaswag": 10042, "winogrande": 1267, "arc_challenge": 1172, "gsm8k": 1319, "truthfulqa_mc2": 817,
    "humaneval": 164, "mbpp_0shot": 500,
}  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A model's record of reference, as a side."""
    empty = tmp_path_factory.mktemp("empty")

    def call(model):
        return resolve_side(model, empty / "results", empty / "baselines.yaml")

    return call


def paper(changed=0.04, lost=0.0, only=""):
    """The papers' suite on both sides: a share of the answers flips either way, and of one task a share is lost besides."""
    sides = {"old": [], "new": []}
    for entry in load_suite("paper").tasks:
        if (n := DOCUMENTS.get(entry.task)) is None:
            continue
        more = round(lost * n) if entry.task == only else 0
        values = flips(n, round(changed / 2 * n) + more, round(changed / 2 * n), right=0.7)
        for model, own in zip(sides, values, strict=True):
            sides[model].append(task(model, own, entry.task, metric=entry.metric or "acc"))
    return tuple(side(model, *tasks) for model, tasks in sides.items())


@pytest.mark.parametrize("name", policy_names())
def test_an_identical_re_run_passes(reference, name):
    teacher = reference("nano-teacher")
    outcome = gate_pairs(load_policy(name), [(teacher, replace(teacher, run_ids=("again",)))])
    assert (outcome.exit_code, outcome.counts) == (0, {"PASS": 6})


@pytest.mark.parametrize("student", ["nano-width-pruned", "nano-depth-pruned"])
@pytest.mark.parametrize("name", policy_names())
def test_a_student_that_was_cut_and_not_distilled_is_regressed(reference, name, student):
    outcome = gate_pairs(load_policy(name), [(reference("nano-teacher"), reference(student))])
    assert outcome.exit_code == 1


def test_a_quiet_night_of_the_papers_suite_passes_where_four_per_cent_of_the_answers_flip():
    outcome = gate_pairs(load_policy("nightly"), [paper()])
    assert outcome.exit_code == 0
    assert {v.status for v in outcome.verdicts if v.tier != "advisory"} == {"PASS"}


@pytest.mark.parametrize("only", ["mmlu", "hellaswag"])
def test_a_point_lost_on_a_large_task_is_found_the_first_night(only):
    outcome = gate_pairs(load_policy("nightly"), [paper(lost=0.01, only=only)])
    assert [v.task for v in outcome.verdicts if v.status == "REGRESSED"] == [only]
    assert outcome.exit_code == 1


def test_humaneval_cannot_tell_two_points_and_fails_nothing():
    outcome = gate_pairs(load_policy("release"), [paper(changed=0.1)])
    (verdict,) = (v for v in outcome.verdicts if v.task == "humaneval")
    assert (verdict.status, verdict.tier) == ("UNDERPOWERED", "advisory")
    assert "and there are 164 in all: it cannot be told, whatever is run" in verdict.reason
    assert outcome.exit_code == 0
