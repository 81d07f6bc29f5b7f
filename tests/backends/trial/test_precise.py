"""Half precision taken as fp32: what a model computes then is what its fp32 copy computes."""

import copy

import pytest
import torch
import transformers
from support.tiny_models import DIMS, config_of, tiny_of

from backends.trial.precise import Precise

MOE = {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": None}
MODELS = {
    "llama": lambda: config_of("llama"),
    "nemotron": lambda: config_of("nemotron"),
    "gemma2": lambda: transformers.Gemma2Config(**DIMS),
    "mixtral": lambda: transformers.MixtralConfig(**DIMS, **MOE),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(
        vocab_size=300, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.inference_mode()
def test_a_model_in_half_precision_computes_as_its_fp32_copy(name, dtype):
    half = tiny_of(MODELS[name]()).to(dtype)
    ids = torch.arange(5, 45)[None]
    whole = copy.deepcopy(half).float()(ids, use_cache=False).logits
    with Precise():
        taken = half(ids, use_cache=False).logits
    assert taken.dtype == torch.float32
    assert (taken - whole).abs().max() < 1e-4
    assert (half(ids, use_cache=False).logits.float() - whole).abs().max() > 1e-3  # so the mode made the difference
    assert half.dtype == dtype


def test_only_the_part_of_a_weight_that_is_picked_is_widened(monkeypatch):
    table = torch.zeros(1000, 4, dtype=torch.bfloat16)
    widened = []
    original = torch.Tensor.float

    def watched(x):
        widened.append(x.numel())
        return original(x)

    monkeypatch.setattr(torch.Tensor, "float", watched)
    with Precise():
        torch.nn.functional.embedding(torch.tensor([3, 4]), table)
        table[10:12]
    assert max(widened) == 8
