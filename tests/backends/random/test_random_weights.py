"""Models without their weights: true dimensions, values at trained scale, marked wherever they are shown."""

import json

import pytest
import torch
from support.tiny_models import config_of

from backends.contract import Options
from backends.hf.backend import open_hf
from backends.random.backend import open_random
from backends.random.config import random_checkpoint
from backends.random.draw import check_finite, empty_model, random_model
from zoo.arch.dims import Dense
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import locate
from zoo.checkpoint.model_ref import resolve
from zoo.errors import WeightsNotFinite
from zoo.registry.loader import load_registry

DENSE = [
    model.id
    for model in load_registry().models.values()
    if isinstance(model.architecture, Dense) and not (model.lineage and model.lineage.quantization)
]
QUICK = ("--trials", "6", "--seconds", "0", "--workload")


@pytest.fixture
def short(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text("name: short\nshapes: [{input: 16, output: 8}]\nbatches: [1]\nrule: {trials: 6, seconds: 0}\n")
    return path


def parameters(model):
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("name", DENSE)
def test_every_dense_model_of_the_registry_is_built_with_its_published_count(name):
    model = empty_model(random_checkpoint(resolve(name)), "meta", torch.bfloat16)
    assert (
        sum(p.numel() for p in model.parameters()) == count_parameters(load_registry().models[name].architecture).total
    )


def test_configuration_is_the_published_one():
    config = random_checkpoint(resolve("llama-3.1-minitron-4b-width")).config
    assert (config["hidden_size"], config["head_dim"], config["num_attention_heads"]) == (3072, 128, 32)
    assert config["rope_parameters"]["rope_type"] == "llama3"
    assert config["rope_parameters"]["factor"] == 8.0
    config = random_checkpoint(resolve("minitron-8b")).config
    assert config["rope_parameters"]["partial_rotary_factor"] == 0.5
    assert random_checkpoint(resolve("mistral-nemo-minitron-8b")).config["sliding_window"] is None


def test_matrices_stand_at_the_scale_of_trained_ones():
    trained = open_hf(locate("nano-teacher"), Options("cpu", "float32"))._model
    drawn = parameters(random_model(random_checkpoint(resolve("nano-teacher")), "cpu", "float32"))
    matrices = {name: value for name, value in parameters(trained).items() if value.ndim > 1}
    assert matrices.keys() == {name for name, value in drawn.items() if value.ndim > 1}
    for name, value in matrices.items():
        assert 1 / 4 < float(value.std() / drawn[name].std()) < 4, name


def test_everything_but_the_weights_is_as_in_the_real_model():
    real = open_hf(locate("nano-teacher"), Options("cpu", "float32"))._model
    drawn = random_model(random_checkpoint(resolve("nano-teacher")), "cpu", "float32")
    assert type(real) is type(drawn)
    for (name, expected), (other, found) in zip(real.named_buffers(), drawn.named_buffers(), strict=True):
        assert name == other
        assert torch.equal(expected, found)
    assert drawn.lm_head.weight is drawn.model.embed_tokens.weight


def test_the_same_seed_draws_the_same_values_and_another_seed_others():
    def drawn(seed):
        return parameters(random_model(random_checkpoint(resolve("nano-teacher")), "cpu", "bfloat16", seed))

    first, again, other = drawn(0), drawn(0), drawn(1)
    for name, value in first.items():
        assert torch.equal(value, again[name])
        assert value.ndim == 1 or not torch.equal(value, other[name])


@pytest.mark.parametrize("family", ["llama", "mistral", "nemotron", "qwen3"])
def test_a_folder_with_nothing_but_a_configuration_will_do(tmp_path, family):
    config_of(family).save_pretrained(tmp_path)
    backend = open_random(random_checkpoint(resolve(str(tmp_path))), Options("cpu", "float32"))
    assert backend.capabilities.stream
    gains = [p for n, p in parameters(backend._model).items() if n.endswith("norm.weight")]
    assert all(bool((gain == (0 if family == "nemotron" else 1)).all()) for gain in gains)
    assert "activations finite, rms" in backend.versions["weights"]


def test_activations_that_are_not_finite_are_refused():
    model = random_model(random_checkpoint(resolve("nano-teacher")), "cpu", "float16")
    with torch.no_grad():
        model.model.layers[2].mlp.down_proj.weight.mul_(1e6)
    with pytest.raises(WeightsNotFinite, match=r"layer 3 in float16"):
        check_finite(model)


def test_random_weights_are_benchmarked_and_marked(minizoo, tmp_path, short):
    ran = minizoo(
        "bench",
        "--model",
        "nano-teacher",
        "--weights",
        "random",
        "--seed",
        3,
        *QUICK,
        short,
        "--results",
        tmp_path,
        "--json",
    )
    assert ran.code in (0, 3), ran.err
    (record,) = ran.json()["records"]
    assert record["speed"]["weights"] == "random"
    assert (record["subject"]["source"], record["subject"]["weights_digest"]) == ("random", "random, seed 3")
    assert "N(0, 1/fan-in), seed 3; activations finite" in record["setting"]["versions"]["weights"]
    assert "random-weights" in {note["code"] for note in record["speed"]["validity"]["notes"]}
    assert not [s for s in record["speed"]["statistics"] if s["metric"] == "joules_per_token"]
    assert record["speed"]["energy_integrated_j"] is None


BAD = {
    "minitron-8b-fp8": "unsupported-architecture",
    "nemotron-h-8b": "unsupported-architecture",
    "minitron-9b": "unknown-model",
}


@pytest.mark.parametrize("name", BAD)
def test_a_model_that_cannot_be_drawn_is_refused(minizoo, tmp_path, name):
    ran = minizoo("bench", "--model", name, "--weights", "random", "--results", tmp_path, "--json")
    assert ran.code == 2
    assert ran.json()["code"] == BAD[name]
    assert ran.err.count("\n") == 1


def test_a_backend_that_draws_none_is_refused(minizoo, tmp_path):
    ran = minizoo(
        "bench", "--model", "nano-teacher", "--weights", "random", "--backend", "pruned", "--results", tmp_path
    )
    assert ran.code == 2
    assert "--backend hf" in ran.err


def test_a_model_larger_than_the_memory_is_refused_before_it_is_drawn(minizoo, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.speed.memory.free_bytes", lambda device: 10**9)
    ran = minizoo(
        "bench", "--model", "mistral-nemo-12b", "--weights", "random", "--device", "cpu", "--results", tmp_path
    )
    assert ran.code == 4
    assert "take 49.08 GB as float32, and cpu has 1.00 GB of memory free. Nothing was loaded." in ran.err


def test_a_broken_configuration_is_refused(minizoo, tmp_path):
    broken = {"model_type": "llama", "max_position_embeddings": 512, "hidden_size": -3, "vocab_size": "many"}
    (tmp_path / "config.json").write_text(json.dumps(broken))
    ran = minizoo("bench", "--model", tmp_path, "--weights", "random", "--results", tmp_path / "results")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
