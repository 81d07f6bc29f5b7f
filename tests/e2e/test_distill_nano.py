"""A student cut from the nano teacher is distilled from it, with text of the example, as README says."""

import subprocess
import sys

import pytest
import torch
from support.paths import ROOT
from transformers import AutoModelForCausalLM, AutoTokenizer

from zoo.nano.training import TrainingRecipe, held_out_loss
from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.prune.write.writer import write_child

WEIGHTS = ROOT / "zoo/nano/weights"
TEACHER = WEIGHTS / "nano-teacher"
STEPS, BATCH, LENGTH = 24, 8, 128
LEAST = 0.5
"""Of the held-out loss that the cut cost, so much at least comes back."""


def loss(folder):
    """Nats a token on documents made of test items alone."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return held_out_loss(model, AutoTokenizer.from_pretrained(TEACHER), TrainingRecipe(held_out_rows=16))


@pytest.fixture(scope="module")
def won_back(tmp_path_factory):
    """The share of what the cut by that plan cost, that the student in that folder won back."""
    whole = loss(TEACHER)
    cuts = {}

    def share(plan, student):
        if plan not in cuts:
            out = tmp_path_factory.mktemp("cut") / plan
            write_child(read_plan(WEIGHTS / plan / "plan.json"), open_parent(TEACHER), out)
            cuts[plan] = loss(out)
        return (cuts[plan] - loss(student)) / (cuts[plan] - whole)

    return share


def test_distillation_wins_back_what_the_cut_cost_on_text_that_no_one_saw(minizoo, won_back, tmp_path):
    text = tmp_path / "nano.jsonl"
    subprocess.run([sys.executable, ROOT / "examples/distill_nano.py", text, "2000"], check=True, cwd=ROOT)
    words = ["--student", "nano-width-pruned", "--teacher", "nano-teacher", "--data", text, "--rate", "2e-3"]
    size = ["--tokens", STEPS * BATCH * LENGTH, "--batch", BATCH, "--length", LENGTH, "--no-overlap"]
    ran = minizoo("distill", *words, *size, "--out", tmp_path / "student")
    assert ran.code == 0, ran.err
    assert won_back("nano-width-pruned", tmp_path / "student") > LEAST


@pytest.mark.parametrize("name", ["nano-width", "nano-depth"])
def test_shipped_students_win_back_what_the_cut_cost(name, won_back):
    assert won_back(f"{name}-pruned", WEIGHTS / name) > LEAST
