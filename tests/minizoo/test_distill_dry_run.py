"""`minizoo distill --dry-run`: what a run would take, from the registry alone."""

import pytest


def test_a_recipe_is_planned_without_weights_or_text(minizoo):
    words = ["distill", "--recipe", "llama-3.1-minitron-4b-width", "--dry-run", "--gpus", 8]
    told = minizoo(*words, "--json").json()
    assert told["schema"] == "minizoo.distillation-plan/1"
    assert (told["student"], told["parameters"]) == ("llama-3.1-minitron-4b-width", 4_512_746_496)
    assert (told["training"]["steps"], told["training"]["rate"], told["training"]["warm_up"]) == (9_961, 1e-4, 40)
    assert told["tokens"] == 9_961 * 1152 * 8192
    assert told["flops"] == told["flops_a_step"]["total"] * 9_961
    by_name = {gpu["name"]: gpu for gpu in told["gpus"]}
    assert by_name["A100 40 GB SXM"]["micro"] is None
    assert by_name["H100 SXM"]["peak"] < 80e9
    assert [option["source"] for option in told["teacher_forms"]["options"]] == ["live", "exact", "sampled"]
    assert any("betas of AdamW" in line for line in told["assumed"])
    shown = minizoo(*words).out
    for figure in ("9,961 of 1,152 rows of 8,192 tokens", "arXiv 2408.11796 Table 4", "the paper does not say", "H200"):
        assert figure in shown


def test_options_win_over_the_recipe(minizoo):
    words = ["distill", "--recipe", "minitron-4b", "--dry-run", "--json", "--tokens", 10**9, "--rate", "3e-4"]
    told = minizoo(*words, "--batch", 64, "--length", 1024).json()["training"]
    assert (told["rate"], told["batch"], told["length"], told["steps"]) == (3e-4, 64, 1024, 15_259)


def test_what_would_fit_is_named_where_nothing_does(minizoo):
    words = ["distill", "--recipe", "llama-3.1-minitron-4b-width", "--dry-run", "--gpu-memory", 24]
    assert "These would fit: " in minizoo(*words).out
    told = minizoo(*words, "--json").json()
    assert told["gpus"][0]["micro"] is None
    assert all("--checkpoint-activations" in way or "torchrun" in way for way in told["would_fit"])
    assert told["would_fit"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--student", "minitron-4b", "--teacher", "llama-3.1-8b", "--tokens", 1000], "other-vocabulary"),
        (["--student", "minitron-4b", "--tokens", 1000], "conflicting-options"),
        (["--student", "minitron-4b", "--teacher", "minitron-8b"], "conflicting-options"),
        (["--recipe", "minitron-4b", "--gpus", 7], "invalid-option"),
        (["--recipe", "llama-3.1-8b"], "no-recipe"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(words, code, minizoo):
    ran = minizoo("distill", *words, "--dry-run", "--json")
    assert (ran.code, ran.json()["code"]) == (2, code)
