"""What a layer is said to keep is what transformers' layers hand to autograd, tensor by tensor."""

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, NemotronConfig, Qwen2Config, Qwen3Config

from zoo.arch.dims import Dense, Rope
from zoo.distill.plan.activations import kept_besides, kept_by_layer

ROWS, LENGTH = 3, 64
LLAMA = {"activation": "swiglu", "norm": "rmsnorm", "rope": Rope(theta=1e4)}
NEMOTRON = {"activation": "relu2", "norm": "layernorm1p", "rope": Rope(theta=1e4, fraction=0.5)}
CLASSES = {
    "llama": (LlamaConfig, LLAMA, {}),
    "mistral": (MistralConfig, LLAMA, {"sliding_window": None}),
    "nemotron": (NemotronConfig, NEMOTRON, {}),
    "qwen2": (Qwen2Config, {**LLAMA, "qkv_bias": True}, {}),
    "qwen3": (Qwen3Config, {**LLAMA, "qk_norm": True}, {}),
}


def dims_of(layers: int, kind: dict) -> Dense:
    return Dense(
        type="dense", num_layers=layers, hidden_size=48, ffn_hidden_size=112, num_attention_heads=4, num_kv_heads=2,
        head_dim=16, vocab_size=96, tied_embeddings=False, **kind,
    )  # fmt: skip


def kept(family: str, layers: int, dtype: torch.dtype) -> int:
    """Bytes that a real model's forward pass over packed rows leaves to autograd, parameters left out."""
    config, _, more = CLASSES[family]
    model = AutoModelForCausalLM.from_config(
        config(
            vocab_size=96, hidden_size=48, intermediate_size=112, num_attention_heads=4, num_key_value_heads=2,
            head_dim=16, num_hidden_layers=layers, tie_word_embeddings=False, **more,
        )
    ).to(dtype)  # fmt: skip
    own = {one.untyped_storage().data_ptr() for one in model.parameters()}
    found = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.dim() > 1:  # a LayerNorm's weight + 1 is no activation
            found[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    ids = torch.randint(0, 96, (ROWS, LENGTH))
    positions = torch.cat([torch.arange(40), torch.arange(24)]).repeat(ROWS, 1)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model.base_model(input_ids=ids, position_ids=positions, use_cache=False)
    return sum(size for size, _ in found.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", CLASSES)
def test_what_a_layer_keeps_is_exact_to_the_byte(family, dtype):
    one, two = kept(family, 1, dtype), kept(family, 2, dtype)
    dims = dims_of(1, CLASSES[family][1])
    assert two - one == kept_by_layer(dims, ROWS, LENGTH, dtype.itemsize)
    assert 2 * one - two == kept_besides(dims, ROWS, LENGTH, dtype.itemsize)
