"""Tiny checkpoints that are quantised: weights in fp8 with a scale a matrix, as AutoFP8 writes them for vLLM."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from support.tiny_checkpoints import edit_config, tiny

AUTO_FP8 = {"quant_method": "fp8", "activation_scheme": "static"}
"""As the config.json of mgoin/Minitron-8B-Base-FP8 says it."""
LARGEST = 448.0
"""Of float8_e4m3fn."""


def auto_fp8(folder: Path, family: str = "nemotron") -> Path:
    """A random model of the family whose layers' matrices are fp8; table, head and norms stay in bf16."""
    tiny(family, folder, dtype=torch.bfloat16)
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        if not name.endswith("proj.weight"):
            tensors[name] = tensor
            continue
        scale = tensor.float().abs().max() / LARGEST
        stem = name.removesuffix("weight")
        tensors[name] = (tensor.float() / scale).to(torch.float8_e4m3fn)
        tensors[f"{stem}weight_scale"], tensors[f"{stem}input_scale"] = scale.clone(), torch.tensor(0.02)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    edit_config(folder, quantization_config=AUTO_FP8)
    return folder
