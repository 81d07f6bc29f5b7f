"""Claims are recomputed from the registry, and their verdicts follow from the numbers."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.claims.analyses import Measured, resolvable_lead
from zoo.claims.formula import FormulaError, evaluate
from zoo.claims.judge import judge_claims, printed_as
from zoo.errors import InputError
from zoo.registry.loader import load_registry, shipped_path


@pytest.fixture(scope="module")
def claims():
    return {claim.id: claim for claim in judge_claims(load_registry())}


def test_forty_times_fewer_tokens_and_what_remains_of_it(claims):
    claim = claims["fewer-tokens"]
    values = [step.value for step in claim.steps]
    assert values[0] == pytest.approx(3.8e12 / 94e9)
    assert claim.verdict == "holds with a caveat"
    assert [round(v, 1) for v in values[-4:]] == [39.5, 29.6, 159.6, 77.3]


def test_family_compute_reproduces_the_papers_ratio_and_counts_what_it_leaves_out(claims):
    claim = claims["family-compute"]
    assert claim.steps[0].value == pytest.approx(8.1 / (4.4 + 2.5 / 40 + 1.2 / 40))
    assert [round(step.value, 3) for step in claim.steps[:3]] == [1.803, 1.773, 1.753]
    assert claim.verdict == "holds with a caveat"


def test_mmlu_gain_relative_in_points_and_above_chance(claims):
    values = [step.value for step in claims["mmlu-over-scratch"].steps]
    assert [round(v, 1) for v in values] == [16.6, 9.1, 30.6, 17.9]


def test_best_on_nine_holds_in_its_own_table_only(claims):
    own, admitted, resolved = claims["best-of-class-on-nine"].steps
    assert (own.text, own.agrees) == ("9 of 9", True)
    assert admitted.text.startswith("1 of 9")
    assert "gemma-2-9b 71.3" in admitted.text
    assert resolved.text.startswith("2 of 9")
    assert claims["best-of-class-on-nine"].verdict == "holds with a caveat"


def test_pruned_heads_and_zero_shot_labels_are_contradicted(claims):
    assert claims["pruned-axes-8b"].verdict == "contradicted"
    assert claims["pruned-axes-nemo"].verdict == "holds"
    assert {claims[name].verdict for name in ("zero-shot-nemo", "zero-shot-width")} == {"contradicted"}


def test_speed_ups_need_a_run_and_spell_out_the_batch(claims):
    claim = claims["speed-depth"]
    assert claim.verdict == "needs a measurement"
    assert claim.measure.startswith("minizoo bench --model llama-3.1-minitron-4b-depth")
    numbers = {step.label: step.value for step in claim.steps}
    assert next(v for label, v in numbers.items() if "confounder" in label) == 2.0
    assert numbers["memory traffic alone, batch 1, no context"] == pytest.approx(1.87, abs=0.01)


def test_every_seed_source_has_claims(claims):
    cited = {source for claim in claims.values() for source in claim.sources}
    assert {
        "minitron-8b-card",
        "minitron-8b-promptlayer",
        "mn-minitron-8b-card",
        "mn-minitron-news",
        "width-card",
    } <= cited


def test_numbers_follow_the_registry_and_not_the_code(tmp_path):
    text = shipped_path().read_text("utf-8")
    for before, after in (
        ("pretraining: 3.8e12", "pretraining: 1.9e12"),
        ("flops_per_step: 4.4e17", "flops_per_step: 8.8e17"),
    ):
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "registry.yaml").write_text(text)
    claims = {c.id: c for c in judge_claims(load_registry(tmp_path / "registry.yaml"))}
    assert claims["fewer-tokens"].steps[0].value == pytest.approx(1.9e12 / 94e9)
    assert claims["fewer-tokens"].verdict == "contradicted"
    assert claims["family-compute"].steps[0].value == pytest.approx(12.5 / (8.8 + 3.7 / 40))


def _beside(*rows):
    def measured(model, score):
        return [row for name, row in rows if name == score.task] if model == "minitron-8b" else []

    claims = judge_claims(load_registry(), measured)
    return next(claim for claim in claims if claim.id == "scores-8b")


def test_measured_records_carry_the_stores_verdict():
    claim = _beside(
        ("mmlu", Measured("acc", "none", 0.645, 0.637, 0.653, 14042, "r1", "reproduced")),
        ("gsm8k", Measured("exact_match", "strict-match", 0.40, 0.37, 0.43, 1319, "r2", "differs")),
        ("arc_challenge", Measured("acc_norm", "none", 0.49, 0.46, 0.52, 1172, "r3", "not comparable", "other shots")),
    )
    told = {step.label: (step.text, step.agrees) for step in claim.steps}
    assert told["mmlu"] == (
        "published 64.5; measured 0.6450 [0.6370, 0.6530] (acc) on 14042 items (run r1): reproduced", True
    )  # fmt: skip
    assert told["gsm8k"][1] is False
    assert told["arc_challenge"][1] is None
    assert told["hellaswag"] == ("published 81.6", None)
    assert claim.verdict == "holds with a caveat"


@pytest.mark.parametrize("verdict", ["not resolved", "not comparable", None])
def test_only_reproduced_and_differs_judge(verdict):
    claim = _beside(("mmlu", Measured("acc", "none", 0.1, 0.0, 0.2, 100, "r1", verdict)))
    assert claim.verdict == "needs a measurement"


def test_measurements_that_all_differ_contradict():
    claim = _beside(("mmlu", Measured("acc", "none", 0.50, 0.49, 0.51, 14042, "r1", "differs")))
    assert claim.verdict == "contradicted"


def test_the_command_prints_what_its_json_says(minizoo, tmp_path):
    told = minizoo("claims", "--results", tmp_path / "none", "--json").json()["claims"]
    ran = minizoo("claims", "--results", tmp_path / "none")
    assert ran.code == 0
    assert not (tmp_path / "none").exists()
    for claim in told:
        assert f"{claim['id']}: {claim['verdict']}" in ran.out
        for step in claim["steps"]:
            assert step["text"] in ran.out
    assert "1.803×" in ran.out
    assert "40.43×" in ran.out


CLAIM = """schema: minizoo.claims/1
claims:
  x:
    quote: said
    sources: [minitron-paper]
    says: "40"
    inputs: {a: {of: nemotron-3-8b, field: tokens.pretraining}, b: 94e9}
    steps: [{label: l, formula: a / b}]
"""


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("of: nemotron-3-8b", "of: nemotron-3-9b", "Did you mean 'nemotron-3-8b'?"),
        ("tokens.pretraining", "tokens.alignment", "states no tokens.alignment"),
        ("tokens.pretraining", "tokens.0.__class__", "states no tokens.0"),
        ("formula: a / b", "formula: a / c", "names 'c'"),
        ("formula: a / b", "formula: a / (b - b)", "divides by zero"),
        ("formula: a / b", "formula: __import__('os')", "is no arithmetic"),
        ("formula: a / b", "formula: a /", "is no formula"),
        ("sources: [minitron-paper]", "sources: [minitron-papr]", "Did you mean 'minitron-paper'?"),
        ('says: "40"', "says: forty", "says"),
        ("    steps:", "    stepz:", "Did you mean 'steps'?"),
        ("{label: l, formula: a / b}", "{formula: a / b}", "'label' is missing"),
        ("steps: [{label: l, formula: a / b}]", "analysis: {type: published_scores, model: m, source: width-card}",
         "no model 'm'"),
    ],
)  # fmt: skip
def test_a_broken_claim_is_named_with_its_place(tmp_path, before, after, named):
    assert before in CLAIM
    (tmp_path / "claims.yaml").write_text(CLAIM.replace(before, after))
    with pytest.raises(InputError, match=r"^claims\.yaml:\d+:\d+: ") as error:
        judge_claims(load_registry(), path=tmp_path / "claims.yaml")
    assert named in str(error.value)


def test_a_claim_that_survives_holds(tmp_path):
    (tmp_path / "claims.yaml").write_text(CLAIM)
    assert judge_claims(load_registry(), path=tmp_path / "claims.yaml")[0].verdict == "holds"


@pytest.mark.parametrize(
    ("says", "value", "agrees"),
    [("40", 40.43, True), ("16", 16.64, True), ("1.8", 1.753, True), ("1.8", 1.74, False), ("40", 39.4, False),
     ("40", 39.5, True), ("100", 94.0, False), ("2.7", 2.8, False), ("15", 15.99, True), ("15", 16.0, False)],
)  # fmt: skip
def test_a_printed_number_is_rounded_or_cut_off(says, value, agrees):
    assert printed_as(says, value) is agrees


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1, 1e6))
def test_formulas_compute_what_python_computes(a, b, c):
    names = {"a": a, "b": b, "c": c}
    assert evaluate("a - -b * 2 / c + max(a, b, 1) - min(a, 3.5)", names) == a - -b * 2 / c + max(a, b, 1) - min(a, 3.5)


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_refused(text):
    with contextlib.suppress(FormulaError):
        assert isinstance(evaluate(text, {"a": 1.0}), float)


def test_a_lead_is_resolvable_at_the_published_sizes():
    # evaluation.md §4.2: MMLU 69.5 on 14,042 items has a standard error of 0.39 points
    assert resolvable_lead(69.5, 69.5, 14042) == pytest.approx(1.96 * 0.39 * 2**0.5, abs=0.01)
