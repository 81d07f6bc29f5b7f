"""CPU layers compute what transformers' own do, and replace no others."""

import pytest
import torch
from support.tiny_models import config_of, tiny, tiny_of
from support.tolerances import assert_logprobs

from backends.contract import ScoreRequest
from backends.hf.unpacked import unpacked_scores
from backends.packing.cpu_layer import CpuLayer, cpu_layer
from backends.packing.packed_model import PackedModel
from backends.packing.score import packed_scores, tree_of
from backends.trial.packed_or_not import tried_model


def logprobs(scores):
    return [score.logprob for score in sorted(scores, key=lambda score: score.index)]


def layers_of(packed):
    return {type(layer) for layer in packed.twin.get_decoder().layers}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "mistral", "mistral-sliding-window", "qwen2", "qwen3"])
def test_llama_mistral_and_qwen_run_in_cpu_layers(family, dtype):
    """That they score as transformers does is tested by the trial and in test_packed_scoring.py."""
    assert layers_of(PackedModel(tiny(family).to(dtype))) == {CpuLayer}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3"])
def test_nothing_but_the_weights_is_in_half_precision(family, dtype):
    """The scores are those of the same weights in fp32."""
    model = tiny(family).to(dtype)
    generator = torch.Generator().manual_seed(1)
    sequences = torch.randint(0, 300, (10, 30), generator=generator).tolist()
    requests = [ScoreRequest(tuple(ids[:10]), tuple(ids[10:])) for ids in sequences]
    mine = logprobs(packed_scores(requests, PackedModel(model), 64))
    assert_logprobs(mine, logprobs(unpacked_scores(model.float(), requests, 1)), 20)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "nemotron"])
def test_the_cache_takes_the_bytes_that_are_stated(family, dtype):
    packed = PackedModel(tiny(family).to(dtype))
    tree = tree_of([ScoreRequest(tuple(range(50)), (1,)), ScoreRequest(tuple(range(50)), (2,))])
    _, kept = packed.run_row(tree.row(0, 40), None)
    assert sum(tensor.nbytes for layer in kept for tensor in layer) == 40 * packed.cache_bytes_per_token()


@pytest.mark.parametrize("model", [
    lambda: tiny("nemotron"),
    lambda: tiny_of(config_of("llama", attention_bias=True)),
    lambda: tiny_of(config_of("qwen3", attention_bias=True)),
    lambda: tiny_of(config_of("llama", hidden_act="gelu")),
], ids=["another family", "biases", "biases of Qwen3", "another activation"])  # fmt: skip
def test_others_keep_their_own_layers(model):
    packed = PackedModel(model())
    assert CpuLayer not in layers_of(packed)


def test_a_cpu_layer_holds_the_weights_of_its_layer():
    layer = tiny("llama").model.layers[0]
    mine = cpu_layer(layer, last=False)
    assert {p.data_ptr() for p in mine.parameters()} == {p.data_ptr() for p in layer.parameters()}


def test_a_stray_window_in_a_llamas_configuration_is_not_applied():
    """transformers' Llama knows no sliding window, whatever its configuration says."""
    model = tiny("llama")
    model.config.sliding_window = 4
    tried_model(model)
