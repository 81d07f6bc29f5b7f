"""The nano teacher: what ships, and that a run of the trainer makes it again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

import zoo.nano
from zoo.nano import training
from zoo.nano.__main__ import main
from zoo.nano.muon import Muon, orthogonalised
from zoo.nano.training import Stage, TrainingRecipe, train

SHIPPED = Path(zoo.nano.__file__).parent / "weights" / "nano-teacher"
LARGEST_BYTES = 4_000_000
STAGES = (Stage(2, 1, "long sums"), Stage(1, 3, "many sums"))
SHORT = TrainingRecipe(stages=STAGES, tokenizer_documents=1000, batch=1024, micro=512, held_out_rows=4, long_every=2)
"""The recipe of the shipped teacher, cut to a second's work."""


@pytest.fixture(scope="module", autouse=True)
def _own_torch_settings():
    """Training sets torch's threads and determinism for the whole process."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("nano") / "teacher"
    train(SHORT, out)
    return out


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
        names = list(file.keys())
        assert {file.get_tensor(name).dtype for name in names} == {torch.bfloat16}


def test_shipped_note_says_how_the_teacher_was_made():
    note = json.loads((SHIPPED / "minizoo.json").read_text())
    assert {"stages", "tokens", "threads", "torch", "held_out_loss"} <= note.keys()
    asked = {field.name for field in dataclasses.fields(Stage)}
    assert [{key: stage[key] for key in asked} for stage in note["stages"]] == [
        *map(dataclasses.asdict, training.STAGES)
    ]
    assert note["tokens"] == sum(stage["steps"] for stage in note["stages"]) * note["batch"]


def test_training_gives_a_checkpoint_that_loads_and_runs(fresh: Path):
    model = AutoModelForCausalLM.from_pretrained(fresh, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(fresh)
    logits = model(**tokenizer("Ann has a red hat.", return_tensors="pt", return_token_type_ids=False)).logits
    assert logits.shape[-1] == len(tokenizer)
    assert torch.isfinite(logits).all()
    assert (fresh / "config.json").read_bytes() == (SHIPPED / "config.json").read_bytes()
    note = json.loads((fresh / "minizoo.json").read_text())
    assert (note["batch"], note["tokens"]) == (1024, 3072)
    assert [(stage["seed"], stage["steps"]) for stage in note["stages"]] == [(1, 2), (3, 1)]
    assert all(stage["documents"] > 0 for stage in note["stages"])


def test_a_stage_goes_on_from_the_last_ones_rounded_weights_with_fresh_optimizers(fresh: Path, tmp_path: Path):
    """What a process makes that begins the second stage from the first one's checkpoint."""
    train(dataclasses.replace(SHORT, stages=STAGES[:1]), tmp_path / "first")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "first", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "first")
    training._run(STAGES[1], model, tokenizer, SHORT)
    made = load_file(fresh / "model.safetensors")
    assert all(torch.equal(model.get_parameter(name).bfloat16(), weight) for name, weight in made.items())


def test_training_over_an_older_checkpoint_gives_the_same_bytes_and_leaves_nothing_of_it(fresh: Path, tmp_path: Path):
    out = tmp_path / "teacher"
    out.mkdir()
    (out / "stale.txt").write_text("from before")
    train(SHORT, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {p.name: p.read_bytes() for p in fresh.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["teacher"]


def test_another_seed_gives_other_weights(fresh: Path, tmp_path: Path):
    train(dataclasses.replace(SHORT, stages=(Stage(2, 2, "long sums"),)), tmp_path / "other")
    assert (fresh / "model.safetensors").read_bytes() != (tmp_path / "other" / "model.safetensors").read_bytes()


def test_the_text_is_the_same_in_every_process():
    """Whatever order Python's hash seed gives to sets: what else a run depends on is torch's own seed."""
    digests = {text_digest_of_another_process(hash_seed) for hash_seed in ("1", "2")}
    assert digests == {hashlib.sha256(first_text().encode()).hexdigest()}


def first_text() -> str:
    import itertools

    from zoo.nano import corpus

    return "".join(itertools.islice(corpus.documents(1), 500))


def text_digest_of_another_process(hash_seed: str) -> str:
    program = (
        "import hashlib, itertools; from zoo.nano import corpus; "
        "print(hashlib.sha256(''.join(itertools.islice(corpus.documents(1), 500)).encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("options", "recipe"),
    [
        ([], TrainingRecipe()),
        (
            ["--steps", "7", "--seed", "5", "--threads", "2"],
            TrainingRecipe(stages=(Stage(7, 5, "long sums"), Stage(7, 7, "many sums")), threads=2),
        ),
    ],
)
def test_the_command_changes_only_what_its_options_say(options, recipe, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(training, "train", lambda *words: asked.append(words) or {})
    assert CliRunner().invoke(main, ["--out", str(tmp_path / "t"), *options]).exit_code == 0
    assert asked == [(recipe, tmp_path / "t")]


def test_orthogonalised_matrices_keep_their_directions_and_get_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((3, 40, 24), (2, 24, 40)):
        matrices = torch.randn(shape)
        made = orthogonalised(matrices)
        found = torch.linalg.svdvals(made)
        assert 0.5 < found.min() <= found.max() < 1.3
        u, _, v = torch.linalg.svd(matrices, full_matrices=False)
        along = u.mT @ made @ v.mT
        torch.testing.assert_close(along, torch.diag_embed(along.diagonal(dim1=1, dim2=2)), atol=1e-4, rtol=0)


def test_muon_moves_as_torchs_own_but_for_its_bf16():
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(shape) / 20) for shape in ((48, 32), (48, 32), (32, 80))]
    theirs = [torch.nn.Parameter(one.detach().clone()) for one in ours]
    both = Muon(ours, lr=0.02, weight_decay=0.01), torch.optim.Muon(theirs, lr=0.02, weight_decay=0.01)
    for _ in range(4):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        for optimizer in both:
            optimizer.step()
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).norm() / other.norm() < 0.01
