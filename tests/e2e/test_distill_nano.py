"""A student cut from the nano teacher is distilled from it, with text of the example, as README says."""

import subprocess
import sys

import torch
from support.paths import ROOT
from transformers import AutoModelForCausalLM, AutoTokenizer

from zoo.nano.training import TrainingRecipe, held_out_loss

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


def test_distillation_wins_back_what_the_cut_cost_on_text_that_no_one_saw(minizoo, tmp_path):
    text = tmp_path / "nano.jsonl"
    subprocess.run([sys.executable, ROOT / "examples/distill_nano.py", text, "2000"], check=True, cwd=ROOT)
    words = ["--student", "nano-width-pruned", "--teacher", "nano-teacher", "--data", text, "--rate", "2e-3"]
    size = ["--tokens", STEPS * BATCH * LENGTH, "--batch", BATCH, "--length", LENGTH, "--no-overlap"]
    ran = minizoo("distill", *words, *size, "--out", tmp_path / "student")
    assert ran.code == 0, ran.err
    teacher, cut = (loss(WEIGHTS / name) for name in ("nano-teacher", "nano-width-pruned"))
    won_back = (cut - loss(tmp_path / "student")) / (cut - teacher)
    assert won_back > LEAST
