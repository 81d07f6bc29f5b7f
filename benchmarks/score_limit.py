"""The least time in which a processor could generate what a turn generated: its FLOPs and bytes at the rates measured here.

A roofline (Williams, Waterman, Patterson, CACM 52(4), 2009) of two parts, each the longer of its FLOPs at the speed of a large
matrix product and its bytes at the speed of a copy: the prompts' unique tokens once, and each step of all sequences together,
which reads every weight once. Sampling, attention's softmax and Python take no time in it, so nothing real reaches it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COPIED = 1 << 30
SIDE = 2048


def least_seconds(folder: Path, work: dict[str, int], threads: int) -> float:
    """Seconds at least for `prompt_tokens` unique tokens of `prompts`, with `prompt_pairs` of query and key, then `steps`
    of `new_tokens` in all, with `new_pairs`; the model of the folder in fp32.
    """
    body, head, pair = sizes(folder)
    flops, bandwidth = _rates_of_a_process(threads)
    weights = 4 * (body + head)
    prefill = 2.0 * body * work["prompt_tokens"] + 2.0 * head * work["prompts"] + pair * work["prompt_pairs"]
    decode = 2.0 * (body + head) * work["new_tokens"] + pair * work["new_pairs"]
    return max(prefill / flops, weights / bandwidth) + max(decode / flops, work["steps"] * weights / bandwidth)


def sizes(folder: Path) -> tuple[int, int, int]:
    """Parameters of the body and of the head, and FLOPs of one pair of query and key in all layers."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = config.vocab_size * config.hidden_size
    body = sum(p.numel() for p in model.parameters()) - head * (1 if config.tie_word_embeddings else 2)
    return body, head, 4 * config.num_attention_heads * config.head_dim * config.num_hidden_layers


def _rates_of_a_process(threads: int) -> tuple[float, float]:
    """Measured in a process of its own: what it takes would count as the peak memory of each process that is started later."""
    done = subprocess.run([sys.executable, __file__, str(threads)], capture_output=True, text=True, check=True)
    flops, bandwidth = json.loads(done.stdout)
    return flops, bandwidth


def measured_rates(threads: int) -> tuple[float, float]:
    """FLOP/s of a product of two fp32 matrices, and bytes/s of a copy, read and written; the best of five each."""
    import torch

    torch.set_num_threads(threads)
    a, b = torch.ones(SIDE, SIDE), torch.ones(SIDE, SIDE)
    source = torch.ones(COPIED // 4)
    target = torch.empty_like(source)
    return 2.0 * SIDE**3 / _best(lambda: a @ b), 2.0 * COPIED / _best(lambda: target.copy_(source))


def _best(call: Callable[[], Any]) -> float:
    times: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(measured_rates(int(sys.argv[1]))))
