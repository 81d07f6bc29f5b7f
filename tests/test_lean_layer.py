"""Lean layers compute what transformers' own do, and stand in for no others."""

import pytest
import torch
from tiny_models import config_of, tiny, tiny_of

from backends.lean_layer import LeanLayer, lean
from backends.packed_model import PackedModel


def layers_of(packed):
    return {type(layer) for layer in packed.twin.get_decoder().layers}


@pytest.mark.parametrize("family", ["llama", "mistral", "mistral-sliding-window"])
def test_llama_and_mistral_in_fp32_run_lean(family):
    """That they score as transformers does is the trial's business, and that of tests/test_packed_scoring.py."""
    assert layers_of(PackedModel(tiny(family))) == {LeanLayer}


@pytest.mark.parametrize("model", [
    lambda: tiny("nemotron"),
    lambda: tiny("llama").to(torch.bfloat16),
    lambda: tiny_of(config_of("llama", attention_bias=True)),
    lambda: tiny_of(config_of("llama", hidden_act="gelu")),
], ids=["another family", "half precision", "biases", "another activation"])  # fmt: skip
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
