"""The published retraining runs: what the papers print, what they leave open, and the steps that follow."""

import doctest

import pytest

from zoo.distill import recipes
from zoo.distill.recipes import RUNS, advise, correction_rate, recipe
from zoo.distill.settings import TrainSettings
from zoo.errors import NoRecipe, UnknownModel
from zoo.prune.recipes import EDGES
from zoo.registry.loader import load_registry

STEPS = {
    "minitron-8b": 19_921,
    "minitron-4b": 19_921,
    "llama-3.1-minitron-4b-width": 9_961,
    "llama-3.1-minitron-4b-depth": 9_961,
    "mistral-nemo-minitron-8b": 60_399,
}
"""../shared/reference/compression.md §1.6, computed there."""


def test_every_published_cut_has_its_retraining():
    assert list(RUNS) == list(EDGES) == list(STEPS)


@pytest.mark.parametrize("student", RUNS)
def test_tokens_batch_length_and_teacher_are_the_registrys(student):
    run, entry = recipe(student), load_registry().models[student]
    assert (run.student, run.tokens, run.steps) == (student, entry.tokens.distillation, STEPS[student])
    assert (run.batch, run.length) == (entry.training.batch_size, entry.training.sequence_length)
    assert run.teacher == entry.lineage.teacher
    teacher = load_registry().models[run.teacher]
    corrected = teacher.tokens.teacher_correction if teacher.tokens else None
    assert (run.correction and run.correction.tokens) == corrected


@pytest.mark.parametrize("name", ["minitron-8b", "nvidia/Minitron-8B-Base", "mistral-nemo-minitron-8b"])
def test_a_recipe_is_found_by_any_name_of_the_model(name):
    assert recipe(name).student == load_registry().resolve(name).id


def test_table_4_of_the_second_paper_is_reproduced_and_each_figure_says_where_it_stands():
    nemo, width = recipe("mistral-nemo-minitron-8b"), recipe("llama-3.1-minitron-4b-width")
    assert [(run.rate, run.least_rate, run.warm_up, run.batch, run.length) for run in (nemo, width)] == [
        (1e-4, 4.5e-7, 60, 768, 8192),
        (1e-4, 1e-5, 40, 1152, 8192),
    ]
    assert set(nemo.where) == set(recipes.STATED) - {"betas", "weight_decay", "clip"}
    assert "tokens 380,000,000,000 (arXiv 2408.11796 Table 1)" in advise(nemo).stated
    assert "warm-up steps 60 (arXiv 2408.11796 Table 4)" in advise(nemo).stated


@pytest.mark.parametrize("student", RUNS)
def test_what_a_paper_leaves_open_is_named_with_the_default_that_is_taken(student):
    run = recipe(student)
    advice, plain = advise(run), TrainSettings(1, 1, 1)
    assert (advice.train.betas, advice.train.weight_decay, advice.train.clip) == (
        plain.betas,
        plain.weight_decay,
        plain.clip,
    )
    assert "betas of AdamW 0.9 and 0.95: the paper does not say; minizoo's default" in advice.assumed
    assert len(advice.assumed) == (3 if run.warm_up else 4)
    assert (advice.train.rate, advice.train.least_rate) == (run.rate, run.least_rate)
    assert advice.loss.divergence == "forward_kl"
    assert advice.loss.clm == 0


def test_fewer_tokens_are_fewer_steps_of_the_same_batch_and_other_defaults_are_the_callers():
    run = recipe("minitron-8b")
    advice = advise(run, 1_800_000_000, TrainSettings(1, 1, 1, micro=4, warm_up=7, rate=1.0))
    train = advice.train
    assert (train.steps, train.batch, train.length, train.micro, train.warm_up, train.rate) == (
        381,
        1152,
        4096,
        4,
        7,
        2e-4,
    )
    assert "warm-up steps 7: the paper does not say; the settings given" in advice.assumed
    assert advise(run, 1).train.steps == 1


def test_a_corrected_teacher_learns_at_a_fifth_of_a_rate_that_the_paper_does_not_print():
    rate, told = correction_rate(recipe("llama-3.1-minitron-4b-depth"))
    assert rate == pytest.approx(2e-5)
    assert "does not print" in told
    assert correction_rate(recipe("minitron-4b")) is None


def test_models_without_a_published_retraining_are_refused_by_name():
    with pytest.raises(NoRecipe, match="not made by distillation"):
        recipe("llama-3.1-8b")
    with pytest.raises(NoRecipe, match="Recipes: minitron-8b"):
        recipe("llama-3.2-1b")
    with pytest.raises(UnknownModel):
        recipe("minitron-9b")


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(recipes).failed == 0
