"""Width-pruning Mistral-NeMo-12B to 8B, streamed, against copying the same bytes.

    python benchmarks/prune_stream.py --work DIR            full size: 24.5 GB parent, 16.8 GB child, 16.8 GB copy
    python benchmarks/prune_stream.py --work DIR --scale 0.1   a tenth of the layers and of the vocabulary

The parent is random (a block of random bf16 repeated from random offsets), the index sets too. The reference reads and
writes the same bytes unchanged: `cp` of the child's files, and `cat` of as many parent bytes as are left. Before
each timed step the files it reads are put out of the page cache. The child is made durable (fsync) by minizoo; `cp`
is timed both without and with a `sync` of what it wrote. Everything written to DIR is removed again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from zoo.arch.dims import Dense
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.safetensors import header_bytes, nbytes
from zoo.prune.parent import expected_tensors
from zoo.prune.recipes import recipe
from zoo.prune.scores import random_scores, save_scores
from zoo.registry.loader import load_registry

RECIPE = "mistral-nemo-minitron-8b"
SHARD_BYTES = 5_000_000_000
NOISE_BYTES = 64 << 20
LIMITS = {"time_ratio": 1.5, "peak_rss_bytes": int(1.5 * 2**30)}


def scaled(dims: Dense, scale: float) -> Dense:
    """Fewer layers and a smaller vocabulary; every row keeps its real length."""
    layers, vocabulary = max(1, round(dims.num_layers * scale)), max(1024, round(dims.vocab_size * scale / 8) * 8)
    return dims.model_copy(update={"num_layers": layers, "vocab_size": vocabulary})


def make_parent(folder: Path, dims: Dense, seed: int = 0) -> int:
    """Write a random Mistral of these dimensions as bf16 shards; returns the bytes of its weights."""
    folder.mkdir(parents=True)
    dice = np.random.default_rng(seed)
    values = dice.standard_normal(NOISE_BYTES // 2, dtype=np.float32) * 0.02
    noise = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    noise += noise
    groups: list[dict[str, tuple[str, tuple[int, ...]]]] = [{}]
    filled = 0
    for name, shape in expected_tensors(dims):
        size = nbytes("BF16", shape)
        if groups[-1] and filled + size > SHARD_BYTES:
            groups.append({})
            filled = 0
        groups[-1][name] = ("BF16", shape)
        filled += size
    where: dict[str, str] = {}
    total = 0
    for at, group in enumerate(groups, 1):
        file_name = f"model-{at:05d}-of-{len(groups):05d}.safetensors"
        with (folder / file_name).open("wb") as file:
            file.write(header_bytes(group))
            for name, (dtype, shape) in group.items():
                where[name] = file_name
                left = nbytes(dtype, shape)
                total += left
                while left:
                    start = 2 * int(dice.integers(NOISE_BYTES // 2))
                    left -= file.write(noise[start : start + min(left, NOISE_BYTES)])
            os.fsync(file.fileno())
    index = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu", "sliding_window": None,
        "num_hidden_layers": dims.num_layers, "hidden_size": dims.hidden_size, "intermediate_size": dims.ffn_hidden_size,
        "num_attention_heads": dims.num_attention_heads, "num_key_value_heads": dims.num_kv_heads,
        "head_dim": dims.head_dim, "vocab_size": dims.vocab_size, "tie_word_embeddings": False, "rms_norm_eps": 1e-5,
        "rope_theta": 1e6, "max_position_embeddings": 1024, "torch_dtype": "bfloat16",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return total


def evict(folder: Path) -> None:
    """Put the folder's files out of the page cache (they are on the disk already)."""
    for path in folder.glob("*.safetensors"):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def timed(command: list[str]) -> tuple[float, int]:
    """Seconds and peak RSS in bytes of a command.

    The peak is the kernel's own (VmHWM of /proc), read until the process ends; rusage would count this process's memory
    in, which the child shares until it is another program.
    """
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.02)
    seconds = time.monotonic() - began
    if process.wait():
        raise SystemExit(f"{command[0]} failed with {process.returncode}")
    return seconds, peak


def prune_and_copy(work: Path, dims: Dense, targets: list[str]) -> dict[str, float]:
    """One repetition: prune, then copy and read the same bytes. Returns the figures."""
    parent, child, copy = work / "parent", work / "child", work / "copy"
    evict(parent)
    prune = ["-m", "minizoo", "prune", "--parent", str(parent), "--scores", str(work / "scores.safetensors")]
    for target in targets:
        prune += ["--target", target]
    seconds, rss = timed([sys.executable, *prune, "--out", str(child)])
    shards = sorted(child.glob("*.safetensors"))
    written = sum(path.stat().st_size for path in shards)
    rest = sum(path.stat().st_size for path in parent.glob("*.safetensors")) - written
    evict(child)
    evict(parent)
    copy.mkdir()
    cp, _ = timed(["cp", *map(str, shards), str(copy)])
    sync, _ = timed(["sync", *(str(copy / path.name) for path in shards)])
    cat = 0.0
    for path in sorted(parent.glob("*.safetensors")):
        size = min(rest, path.stat().st_size)
        if size:
            cat += timed(["tail", "-c", str(size), str(path)])[0]
            rest -= size
    shutil.rmtree(child)
    shutil.rmtree(copy)
    return {
        "prune_s": seconds, "cp_s": cp, "sync_s": sync, "cat_s": cat, "peak_rss_bytes": rss, "child_bytes": written,
        "ratio_to_cp_and_cat": seconds / (cp + cat), "ratio_to_cp_sync_and_cat": seconds / (cp + sync + cat),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="Empty or new folder on the disk to measure.")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_suffix(".json"))
    asked = parser.parse_args()
    edge = recipe(RECIPE)
    whole = load_registry().models[edge.parent].architecture
    if not isinstance(whole, Dense):
        raise SystemExit("the recipe's parent is not dense")
    dims = scaled(whole, asked.scale)
    need = 2 * count_parameters(dims).total * 2.6
    asked.work.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(asked.work).free < need:
        raise SystemExit(f"{asked.work} needs {need / 1e9:.0f} GB free; take a smaller --scale.")
    work = asked.work / f"prune_stream.{os.getpid()}"
    try:
        total = make_parent(work / "parent", dims)
        save_scores(work / "scores.safetensors", random_scores(dims, seed=0))
        targets = [f"hidden={edge.target.hidden}", f"ffn={edge.target.ffn}"]
        runs = [prune_and_copy(work, dims, targets) for _ in range(asked.repeat)]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    figures = {
        "benchmark": "prune_stream", "scale": asked.scale, "parent_bytes": total, "cores": os.cpu_count(),
        "machine": platform.machine(), "python": platform.python_version(), "numpy": np.__version__,
        "limits": LIMITS, "runs": runs,
    }  # fmt: skip
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    asked.results.write_text(json.dumps(figures, indent=2) + "\n")
    for run in runs:
        print(
            f"prune {run['prune_s']:.1f} s; cp {run['cp_s']:.1f} s (+ sync {run['sync_s']:.1f} s), cat {run['cat_s']:.1f} s; "
            f"ratio {run['ratio_to_cp_and_cat']:.2f} (with sync {run['ratio_to_cp_sync_and_cat']:.2f}), limit "
            f"{LIMITS['time_ratio']}; peak RSS {run['peak_rss_bytes'] / 2**20:.0f} MiB, limit "
            f"{LIMITS['peak_rss_bytes'] / 2**20:.0f} MiB"
        )


if __name__ == "__main__":
    main()
