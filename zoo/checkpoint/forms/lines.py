"""Lines for a shell that turn another form into a folder of safetensors; every name in them is quoted, whatever it holds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

GGUF_CODE = (
    "import sys, transformers as t; d, f, o = sys.argv[1:]; "
    'q = {"quantization_config": t.GgufConfig(dequantize=True)} if hasattr(t, "GgufConfig") else {}; '
    'm = t.AutoModelForCausalLM.from_pretrained(d, gguf_file=f, dtype="bfloat16", **q); '
    'm.hf_quantizer = None; vars(m.config).pop("quantization_config", None); m.save_pretrained(o); '
    "t.AutoTokenizer.from_pretrained(d, gguf_file=f).save_pretrained(o)"
)
"""transformers refuses to save what it loaded from a GGUF (5.23) although the weights are unpacked: it is made to forget."""
MERGE_CODE = (
    "import sys; from peft import PeftModel; from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
    "base, adapter, tokenizer, out = sys.argv[1:]; "
    'PeftModel.from_pretrained(M.from_pretrained(base, dtype="auto"), adapter).merge_and_unload().save_pretrained(out); '
    "T.from_pretrained(tokenizer).save_pretrained(out)"
)
BASE = "BASE_MODEL"
"""Stands in a line for a base model that the adapter does not name."""


def gguf_line(where: str, file: str) -> str:
    """Unpack a GGUF of a folder or hub repository to bf16, by transformers with the packages gguf and accelerate."""
    return _python(GGUF_CODE, where, file, out_of(PurePath(file).stem))


def merge_line(where: str, adapter: Mapping[str, Any], own_tokenizer: bool) -> str:
    """Merge an adapter into its base model, by transformers and peft. `adapter` is what its adapter_config.json says."""
    base = base_of(adapter) or BASE
    return _python(MERGE_CODE, base, where, where if own_tokenizer else base, out_of(PurePath(where).name))


def base_of(adapter: Mapping[str, Any]) -> str | None:
    """The base model that an adapter names."""
    base = adapter.get("base_model_name_or_path")
    return base if isinstance(base, str) and base.strip() else None


def resave_line(file: str) -> str:
    """Write a file of torch before 1.6 anew, as torch writes today."""
    code = 'import sys, torch; i, o = sys.argv[1:]; torch.save(torch.load(i, map_location="cpu", weights_only=True), o)'
    return _python(code, file, f"{file}.new")


def out_of(name: str) -> str:
    """A folder to write to, beside the one at hand."""
    return f"{name or 'model'}-hf"


def quoted(word: str) -> str:
    """A word as a shell reads it back, on one line: what cannot be printed is written as an escape, by bash's `$'…'`."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = (
        c if c.isprintable() and c not in "\\'" else "".join(f"\\x{byte:02x}" for byte in os.fsencode(c)) for c in word
    )
    return f"$'{''.join(escaped)}'"


def _python(code: str, *arguments: str) -> str:
    return " ".join(["python", "-c", *map(quoted, (code, *arguments))])
