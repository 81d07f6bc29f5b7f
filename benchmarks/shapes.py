"""The models that the scoring benchmark runs: random weights by a recorded seed, in Hugging Face form."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

GPT2_VOCABULARY = 50257
SHAPES: dict[str, dict[str, Any]] = {
    "28.7M": {
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "intermediate_size": 1024,
    },
    "74M": {
        "hidden_size": 512,
        "num_hidden_layers": 16,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "intermediate_size": 1536,
    },
}
"""Llamas with heads of 64 and tied embeddings: 28,740,864 and 73,982,976 parameters."""


def write_shape(shape: str, tokenizer: Path, folder: Path, seed: int = 0) -> Path:
    """Write a Llama of that shape with weights drawn from N(0, 0.02) by `seed`, and the tokenizer beside it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=GPT2_VOCABULARY,
        head_dim=64,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=50256,
        eos_token_id=50256,
        **SHAPES[shape],
    )
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    return with_tokenizer(folder, tokenizer)


def write_configuration(model: str, tokenizer: Path, folder: Path) -> Path:
    """Write the configuration of a registry model and a tokenizer beside it, but no weights: an engine draws them."""
    from tokenizers import Tokenizer

    from backends.random.config import random_checkpoint
    from zoo.checkpoint.model_ref import resolve

    config = {name: value for name, value in random_checkpoint(resolve(model)).config.items() if value is not None}
    size = Tokenizer.from_file(str(tokenizer / "tokenizer.json")).get_vocab_size()
    if size > config["vocab_size"]:
        sys.exit(f"{tokenizer} has {size:,} tokens, {model} {config['vocab_size']:,}: take a smaller tokenizer.")
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    return with_tokenizer(folder, tokenizer)


def with_tokenizer(folder: Path, tokenizer: Path) -> Path:
    """Put a tokenizer into `folder`, with the settings that transformers wants beside it."""
    for path in tokenizer.glob("*"):
        if path.name.startswith("tokenizer") or path.suffix == ".model":
            shutil.copy(path, folder / path.name)
    if not (folder / "tokenizer_config.json").exists():
        end = "<|endoftext|>"
        words = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": end, "eos_token": end}
        (folder / "tokenizer_config.json").write_text(json.dumps(words))
    return folder
