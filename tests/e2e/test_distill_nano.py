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
STEPS, BATCH, LENGTH = 40, 8, 256
LEAST = 0.5
"""Of the held-out loss that the cut cost, so much at least comes back."""


def loss(folder):
    """Nats a token on documents made of test items alone."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return held_out_loss(
        model, AutoTokenizer.from_pretrained(WEIGHTS / "nano-teacher"), TrainingRecipe(held_out_rows=48)
    )


def won_back(plan, distilled, scratch):
    """The share of what the cut cost that came back with the `distilled` loss."""
    parent = open_parent(WEIGHTS / "nano-teacher")
    write_child(read_plan(WEIGHTS / plan / "plan.json"), parent, scratch / "cut")
    cut = loss(scratch / "cut")
    return (cut - distilled) / (cut - loss(parent.folder))


def test_distillation_wins_back_what_the_cut_cost_on_text_that_no_one_saw(minizoo, tmp_path):
    text = tmp_path / "nano.jsonl"
    subprocess.run([sys.executable, ROOT / "examples/distill_nano.py", text, "2000"], check=True, cwd=ROOT)
    words = ["--student", "nano-width-pruned", "--teacher", "nano-teacher", "--data", text, "--rate", "2e-3"]
    size = ["--tokens", STEPS * BATCH * LENGTH, "--batch", BATCH, "--length", LENGTH, "--no-overlap"]
    ran = minizoo("distill", *words, *size, "--out", tmp_path / "student")
    assert ran.code == 0, ran.err
    assert won_back("nano-width-pruned", loss(tmp_path / "student"), tmp_path) > LEAST


@pytest.mark.parametrize("name", ["nano-width", "nano-depth"])
def test_shipped_students_win_back_what_the_cut_cost(name, tmp_path):
    assert won_back(f"{name}-pruned", loss(WEIGHTS / name), tmp_path) > LEAST
