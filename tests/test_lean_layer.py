"""Lean layers compute what transformers' own do, and stand in for no others."""

import pytest
import torch
from tiny_models import config_of, tiny, tiny_of
from transformers import AutoModelForCausalLM

from backends.contract import ScoreRequest
from backends.lean_layer import LeanLayer, lean
from backends.packed_model import PackedModel
from backends.plain import plain_scores
from backends.scoring import packed_scores


def logprobs(scores):
    return torch.tensor([score.logprob for score in sorted(scores, key=lambda score: score.index)])


def layers_of(packed):
    return {type(layer) for layer in packed.twin.get_decoder().layers}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "mistral", "mistral-sliding-window"])
def test_llama_and_mistral_run_lean(family, dtype):
    """That they score as transformers does is the trial's business, and that of tests/test_packed_scoring.py."""
    assert layers_of(PackedModel(tiny(family).to(dtype))) == {LeanLayer}


def test_half_precision_rounds_less_than_transformers_does():
    """Root mean square errors of log p, both against the same weights in fp32."""
    torch.manual_seed(0)
    config = config_of("llama", num_hidden_layers=16, initializer_range=0.05)
    model = AutoModelForCausalLM.from_config(config).eval().to(torch.bfloat16)
    sequences = torch.randint(0, 300, (40, 30)).tolist()
    requests = [ScoreRequest(tuple(ids[:10]), tuple(ids[10:])) for ids in sequences]
    mine = logprobs(packed_scores(requests, PackedModel(model), 256))
    theirs = logprobs(plain_scores(model, requests, 1))
    exact = logprobs(plain_scores(model.float(), requests, 1))
    assert (mine - exact).norm() < 0.75 * (theirs - exact).norm()


@pytest.mark.parametrize("model", [
    lambda: tiny("nemotron"),
    lambda: tiny_of(config_of("llama", attention_bias=True)),
    lambda: tiny_of(config_of("llama", hidden_act="gelu")),
], ids=["another family", "biases", "another activation"])  # fmt: skip
def test_others_keep_their_own_layers(model):
    packed = PackedModel(model())
    assert LeanLayer not in layers_of(packed)


def test_a_lean_layer_holds_the_weights_of_its_layer():
    layer = tiny("llama").model.layers[0]
    mine = lean(layer, last=False)
    assert {p.data_ptr() for p in mine.parameters()} == {p.data_ptr() for p in layer.parameters()}


def test_a_stray_window_in_a_llamas_configuration_is_not_applied():
    """transformers' Llama knows no sliding window, whatever its configuration says."""
    model = tiny("llama")
    model.config.sliding_window = 4
    PackedModel(model)
