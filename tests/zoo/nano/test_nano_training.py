"""The nano teacher: what ships, and that a run of the trainer makes it again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

import zoo.nano

SHIPPED = Path(zoo.nano.__file__).parent / "weights" / "nano-teacher"
LARGEST_BYTES = 4_000_000


def trained(out: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "zoo.nano", "--steps", "3", "--threads", "1", "--out", str(out), *options]
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("nano") / "teacher")


def test_shipped_teacher_has_the_family_traits():
    config = AutoConfig.from_pretrained(SHIPPED)
    assert config.architectures == ["LlamaForCausalLM"]
    assert config.num_attention_heads > config.num_key_value_heads > 1
    assert config.head_dim != config.hidden_size / config.num_attention_heads
    assert json.loads((SHIPPED / "config.json").read_text())["head_dim"] == config.head_dim
    assert config.num_hidden_layers >= 4
    assert config.num_hidden_layers % 2 == 0
    assert config.max_position_embeddings >= 512
    assert config.tie_word_embeddings


def test_shipped_weights_are_small_bf16_safetensors():
    weights = [path for path in SHIPPED.iterdir() if path.stat().st_size > 100_000]
    assert [path.name for path in weights] == ["model.safetensors"]
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= LARGEST_BYTES
    with safe_open(weights[0], "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118 == {torch.bfloat16}


def test_shipped_note_says_how_the_teacher_was_made():
    note = json.loads((SHIPPED / "minizoo.json").read_text())
    assert {"seed", "steps", "tokens", "documents", "threads", "torch", "final_loss", "held_out_loss"} <= note.keys()
    assert note["tokens"] == note["steps"] * note["batch"]


def test_training_gives_a_checkpoint_that_loads_and_runs(fresh: Path):
    model = AutoModelForCausalLM.from_pretrained(fresh, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(fresh)
    logits = model(**tokenizer("Ann has a red hat.", return_tensors="pt", return_token_type_ids=False)).logits
    assert logits.shape[-1] == len(tokenizer)
    assert torch.isfinite(logits).all()
    assert (fresh / "config.json").read_bytes() == (SHIPPED / "config.json").read_bytes()


def test_training_over_an_older_checkpoint_gives_the_same_bytes_and_leaves_nothing_of_it(fresh: Path, tmp_path: Path):
    out = tmp_path / "teacher"
    out.mkdir()
    (out / "stale.txt").write_text("from before")
    trained(out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {p.name: p.read_bytes() for p in fresh.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["teacher"]


def test_another_seed_gives_other_weights(fresh: Path, tmp_path: Path):
    other = trained(tmp_path / "other", "--seed", "2")
    assert (fresh / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()
