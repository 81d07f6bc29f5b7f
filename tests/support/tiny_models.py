"""Tiny random models of several families, with a head_dim that is not hidden / heads, as in the Minitron models."""

import torch

DIMS = {
    "vocab_size": 300,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 2048,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
PARTIAL_ROPE = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5}
DYNAMIC_ROPE = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 8.0}
FAMILIES = {
    "llama": ("LlamaConfig", {}),
    "llama-rope-scaled": ("LlamaConfig", {"rope_parameters": LLAMA3_ROPE}),
    "mistral": ("MistralConfig", {"sliding_window": None}),
    "mistral-sliding-window": ("MistralConfig", {"sliding_window": 37}),
    "nemotron": ("NemotronConfig", {"rope_parameters": PARTIAL_ROPE}),
    "qwen2": ("Qwen2Config", {"use_sliding_window": True, "sliding_window": 37, "max_window_layers": 1}),
    "qwen3": ("Qwen3Config", {}),
}  # fmt: skip


def config_of(family, **changes):
    import transformers

    kind, own = FAMILIES[family]
    return getattr(transformers, kind)(**{**DIMS, **own, **changes})


def tiny(family, **changes):
    """The model, with weights large enough that its predictions are far from uniform."""
    return tiny_of(config_of(family, **changes))


def tiny_of(config):
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
        elif parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=parameter[0].item(), std=0.1)
    return model
