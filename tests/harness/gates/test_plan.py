"""What is in a plan: entries and tasks, what is missing and why, and what must not vanish in silence."""

from datetime import date

import pytest
from support.gated import flips, policy, side, task

from harness.gates.gate import gate_pairs
from harness.gates.loading import load_policy
from harness.gates.plan import Pair
from zoo.errors import InvalidPolicy

SAME = [1.0, 0.0, 1.0, 1.0] * 100
EASY = {"margin": 0.05}


def gate(asked, a, b, **how):
    return gate_pairs(asked, [(a, b)], **{"today": date(2026, 11, 30)} | how)


def both(*names, **changes):
    """Two sides with the same answers to each of these tasks."""
    return [side(model, *(task(model, SAME, name, **changes) for name in names)) for model in ("old", "new")]


def statuses(outcome):
    return {verdict.task: verdict.status for verdict in outcome.verdicts}


def test_a_task_that_one_side_lacks_is_missing():
    for a, b in ((both("winogrande")[0], both("boolq")[1]), (both("boolq")[0], both("winogrande")[1])):
        outcome = gate(policy(EASY | {"required": False}), a, b)
        assert statuses(outcome) == {"winogrande": "MISSING"}
        assert "has no record of it" in outcome.verdicts[0].reason
        assert (outcome.exit_code, outcome.word) == (3, "NOTHING COMPARED")


@pytest.mark.parametrize(
    ("tier", "required", "status"),
    [
        ("critical", None, "MISSING"),
        ("supporting", None, None),
        ("critical", False, None),
        ("advisory", True, "MISSING"),
    ],
)
def test_a_task_that_neither_has_is_missing_where_the_entry_is_required(tier, required, status):
    asked = policy(EASY, EASY | {"task": "gsm8k", "tier": tier, "required": required})
    outcome = gate(asked, *both("winogrande"))
    assert statuses(outcome).get("gsm8k") == status
    assert ("Not in the plan, for neither side has it: gsm8k." in outcome.notes) == (status is None)


def test_a_pair_to_which_no_critical_entry_applies_does_not_pass_in_silence():
    asked = policy(EASY | {"required": False}, EASY | {"task": "boolq", "tier": "supporting"})
    outcome = gate(asked, *both("boolq"))
    assert statuses(outcome) == {"boolq": "PASS", "(critical)": "MISSING"}
    assert outcome.exit_code == 3


def test_a_failure_of_the_infrastructure_is_no_wrong_answer():
    old = side("old", task("old", SAME))
    for status, words in (("infra_failed", "which says nothing of the model"), ("failed", "the run failed")):
        broken = task("new", [], status=status, code="device-lost", reason="the GPU is gone", scores=())
        outcome = gate(policy(EASY), old, side("new", broken))
        assert statuses(outcome) == {"winogrande": "MISSING"}
        assert words in outcome.verdicts[0].reason
        assert "the GPU is gone (device-lost)" in outcome.verdicts[0].reason


@pytest.mark.parametrize(
    ("change", "entry", "words"),
    [
        ({"metric": "acc_norm"}, {"metric": "acc"}, "has no acc (none) of it, but acc_norm (none)"),
        ({"source": "imported"}, {}, "is imported, and the entry accepts what minizoo measured"),
        ({"score": {"value": float("nan")}}, {}, "acc has no finite value"),
    ],
)
def test_a_side_without_a_number_to_compare_is_missing(change, entry, words):
    old, new = side("old", task("old", SAME)), side("new", task("new", SAME, **change))
    (verdict,) = gate(policy(EASY | entry), old, new).verdicts
    assert verdict.status == "MISSING"
    assert words in verdict.reason


def test_samples_that_are_gone_are_missing():
    made, _ = task("new", SAME)
    (verdict,) = gate(policy(EASY), side("old", task("old", SAME)), side("new", (made, []))).verdicts
    assert (verdict.status, "not its samples" in verdict.reason) == ("MISSING", True)


def test_imported_results_are_taken_where_the_entry_says_so():
    sides = both("winogrande", source="imported")
    assert statuses(gate(policy(EASY | {"accept": "imported"}), *sides)) == {"winogrande": "PASS"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"columns": {"request_hash": [f"other {i}" for i in range(400)]}},
            "prompts differ: the requests of 400 of 400",
        ),
        ({"shots": 0}, "other shots: 5 against 0"),
        ({"task_version": "2.0"}, "another version of the task: 1 against 2"),
        ({"columns": {"doc_hash": [f"other {i}" for i in range(400)]}}, "not one of 400 documents"),
        ({"score": {"higher_is_better": False}}, "do not agree whether more acc is better"),
    ],
)
def test_what_is_no_one_measurement_is_incomparable(change, words):
    outcome = gate(policy(EASY), side("old", task("old", SAME)), side("new", task("new", SAME, **change)))
    assert statuses(outcome) == {"winogrande": "INCOMPARABLE"}
    assert words in outcome.verdicts[0].reason
    assert outcome.exit_code == 3


def test_a_metric_whose_direction_nobody_knows_is_refused_by_name(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text(
        "name: mine\nalpha: {accuracy: 0.005, gold: 0.0015, speed: 0.0015}\n"
        "accuracy:\n  - {task: winogrande, tier: critical, ask: [release], margin: 0.01}\n"
    )
    sides = both("winogrande", metric="oddness", score={"higher_is_better": None})
    with pytest.raises(
        InvalidPolicy, match=r"gate\.yaml:4:12: .*whether more oddness of winogrande is better or worse"
    ):
        gate(load_policy(str(path)), *sides)


def test_one_side_that_knows_the_direction_is_enough():
    old, new = flips(400, 80, 0)
    sides = side("old", task("old", old, score={"higher_is_better": None})), side("new", task("new", new))
    assert statuses(gate(policy(EASY), *sides)) == {"winogrande": "REGRESSED"}


@pytest.mark.parametrize(
    ("entry", "metric", "words"),
    [
        ({"margin": 1}, "acc", "For 1 points write `1pp`"),
        ({"margin": "1pp"}, "word_perplexity", "is not a score from 0 to 1"),
    ],
)
def test_a_margin_that_its_metric_cannot_have_is_refused(entry, metric, words):
    with pytest.raises(InvalidPolicy, match=words):
        gate(policy(entry), *both("winogrande", metric=metric))


def test_detect_of_a_perplexity_needs_a_margin_in_nats():
    value = {"value": 2.718281828459045, "higher_is_better": False}
    texts = {"metric": "word_perplexity", "columns": {"weight": 2.0}, "score": value}
    sides = [side(m, task(m, [-2.0] * 50, **texts)) for m in ("old", "new")]
    with pytest.raises(InvalidPolicy, match="would alarm at the last digit"):
        gate(policy({"ask": ("detect",), "margin": {"relative": 0.01}}), *sides)


def test_an_exact_name_takes_its_task_from_a_pattern():
    asked = policy(EASY | {"task": "wino*", "tier": "advisory"}, EASY)
    assert [v.tier for v in gate(asked, *both("winogrande")).verdicts] == ["critical"]


@pytest.mark.parametrize("word", ["winogrande", "wino*"])
def test_one_score_is_not_asked_about_twice(word):
    with pytest.raises(InvalidPolicy, match="winogrande's acc is asked about twice"):
        gate(policy(EASY | {"task": word}, EASY | {"task": word}), *both("winogrande"))


def test_a_group_is_one_entry_and_its_tasks_none():
    sides = []
    for model in ("old", "new"):
        leaves = [task(model, SAME, name) for name in ("mmlu_law", "mmlu_art")]
        sides.append(side(model, *leaves, (task(model, SAME, "mmlu", members=("mmlu_law", "mmlu_art"))[0], [])))
    outcome = gate(policy(EASY | {"task": "mmlu*"}), *sides)
    assert [(v.task, v.status, v.numbers.n) for v in outcome.verdicts] == [("mmlu", "PASS", 800)]


def test_a_record_that_cannot_be_read_is_missing_though_an_older_one_is_there():
    a, b = both("winogrande")
    outcome = gate_pairs(policy(EASY), [Pair(a, b, {("b", "winogrande"): "Expecting value"})])
    assert statuses(outcome) == {"winogrande": "MISSING"}
    assert "the record cannot be read (Expecting value)" in outcome.verdicts[0].reason


def test_the_plan_is_entries_by_pairs_and_shares_alpha_over_all_of_it():
    old, new = flips(1000, 22, 4)
    pairs = [(side(f"old{i}", task("old", old)), side(f"new{i}", task("new", new))) for i in range(20)]
    ask = {"ask": ("detect", "release"), "margin": 0.05}
    alone = gate_pairs(policy(ask), pairs[:1])
    assert (alone.verdicts[0].status, alone.families["accuracy"].tests) == ("REGRESSED", 1)
    still = [(old_, side(f"same{i}", task("new", old))) for i, (old_, _) in enumerate(pairs)]
    among = gate_pairs(policy(ask), [pairs[0], *still])
    assert (among.verdicts[0].status, among.families["accuracy"].tests) == ("PASS", 21)
    assert among.verdicts[0].numbers.detect_adjusted == pytest.approx(21 * alone.verdicts[0].numbers.detect_p)
    assert any("accuracy 0.005 over 21 tests (first step 0.00024)" in line for line in among.told_alpha())


def test_what_is_missing_keeps_its_place_in_the_plan():
    old, new = flips(1000, 22, 4)
    pairs = [(side(f"old{i}", task("old", old)), side(f"new{i}", *[task("new", new)] * (i == 0))) for i in range(20)]
    outcome = gate_pairs(policy({"ask": ("detect", "release"), "margin": 0.05}), pairs)
    assert outcome.families["accuracy"].tests == 20
    assert outcome.verdicts[0].numbers.detect_adjusted == pytest.approx(20 * outcome.verdicts[0].numbers.detect_p)


def test_uncalibrated_is_said_and_changes_no_exit_code():
    outcome = gate(policy(EASY), *both("winogrande"))
    assert outcome.exit_code == 0
    assert outcome.notes[-1].startswith("uncalibrated")
