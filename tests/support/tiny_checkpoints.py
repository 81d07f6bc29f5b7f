"""Tiny random checkpoints of the families that are pruned, with a head_dim that is not hidden / heads."""

import json
from pathlib import Path

import torch
from transformers import LlamaConfig, MistralConfig, NemotronConfig, Qwen2Config, Qwen3Config
from transformers.models.llama import LlamaForCausalLM
from transformers.models.mistral import MistralForCausalLM
from transformers.models.nemotron import NemotronForCausalLM
from transformers.models.qwen2 import Qwen2ForCausalLM
from transformers.models.qwen3 import Qwen3ForCausalLM

SHAPE = {
    "vocab_size": 96,
    "hidden_size": 48,
    "intermediate_size": 56,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
FAMILIES = {
    "llama": (LlamaConfig, LlamaForCausalLM, {"attention_bias": True, "mlp_bias": True}),
    "llama-tied": (LlamaConfig, LlamaForCausalLM, {"tie_word_embeddings": True}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": None}),
    "nemotron": (NemotronConfig, NemotronForCausalLM, {}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {}),
}

TERMS = 10 * SHAPE["num_hidden_layers"] * SHAPE["hidden_size"]
"""Of an fp32 forward pass, for `assert_fp32`: about ten sums a layer, each over the hidden width."""


def tiny(family: str, folder: Path, dtype=torch.float32, shard="5GB", seed=0, **changes) -> Path:
    """Save a random model of the family. Norm weights and biases are random too, so that slicing them shows."""
    config_class, model_class, extra = FAMILIES[family]
    torch.manual_seed(seed)
    model = model_class(config_class(**{**SHAPE, **extra, **changes}))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.3 if parameter.dim() == 1 else 0.15
            parameter.copy_(torch.randn_like(parameter) * scale + ("norm.weight" in name and family != "nemotron"))
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    return folder


def load(folder: Path):
    """The model in fp32, eager attention, as transformers loads it."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def same_weights(one, other) -> bool:
    """Whether two models have the same parameters, a tied head under both its names."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def edit_config(folder: Path, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


TOKENS = torch.arange(2 * 23).reshape(2, 23).mul(37).remainder(96)
