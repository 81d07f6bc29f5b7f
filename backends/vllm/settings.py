"""What a vLLM worker is told: device, dtype, context, vLLM's own settings, and its environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backends.contract import Options
from backends.memory import available_bytes
from zoo.arch.config_keys import ConfigView
from zoo.arch.held import PLAIN, config_dtype
from zoo.arch.parameters import BITS, Dtype, kv_bytes_per_token
from zoo.arch.runnable import stated_quantisation
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import DeviceMissing, InvalidConfig, InvalidOption, UnsupportedDtype, UnsupportedRequest, WrongBackend
from zoo.names import closest

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "attention_backend": str,
    "block_size": int,
    "enable_prefix_caching": bool,
    "enforce_eager": bool,
    "gpu_memory_utilization": (int, float),
    "kv_cache_dtype": str,
    "kv_cache_memory_bytes": int,
    "max_model_len": int,
    "max_num_batched_tokens": int,
    "max_num_seqs": int,
    "prompt_logprob_token_ids": bool,
    "tensor_parallel_size": int,
}
"""vLLM's settings that may be given, by its own names, and what their values are."""
LEAST_CACHE = 1 << 28
"""Bytes for keys and values on a CPU; vLLM's own default is a share of the machine's memory, and takes it at once."""
SEQUENCES_IN_CACHE = 4
"""Whole contexts that the cache of a CPU holds, where a quarter of the free memory has room for them."""
QUIET = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",
}
"""Variables of every worker: it prints to stderr alone, asks no network, is one process, and may be opened one position longer
than the context (which `served/vllm_settings.py` explains)."""
ON_CPU = {"TORCH_COMPILE_DISABLE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
"""There vLLM compiles a small function at its first score, for 15 seconds, and binds its threads to cores that others use."""


def settled(checkpoint: Checkpoint, options: Options, device: str) -> Options:
    """The options as the worker gets them: `device` and `dtype` decided, `engine` complete.

    Raises UnsupportedRequest for a setting that is not vLLM's or has another kind of value, UnsupportedDtype, WrongBackend for
    a checkpoint that vLLM has no form for.
    """
    own = {**options.engine}
    _check_settings(own)
    if checkpoint.only_pruned and not options.random_weights:
        raise WrongBackend(f"vLLM cannot run {checkpoint.name}: {checkpoint.only_pruned}.", "Use --backend pruned.")
    dtype = _dtype(checkpoint, options.dtype, device)
    longest = min(own.get("max_model_len", checkpoint.max_length), checkpoint.max_length)
    if device == "cpu":
        own.setdefault("kv_cache_memory_bytes", _cache_bytes(checkpoint, dtype, longest))
    own |= {"dtype": dtype, "max_model_len": longest, "vocabulary": _vocabulary(checkpoint)}
    return replace(options, device=device, dtype=dtype, engine=own)


def environment(devices: tuple[str, ...]) -> dict[str, str]:
    """Environment variables of the worker that holds a model on these devices."""
    if devices == ("cpu",):
        threads = os.environ.get("OMP_NUM_THREADS") or str(len(os.sched_getaffinity(0)))
        return {**QUIET, **ON_CPU, "OMP_NUM_THREADS": threads}
    return {**QUIET, "CUDA_VISIBLE_DEVICES": ",".join(map(_index, devices))}


def device_groups(options: Options) -> list[tuple[str, ...]]:
    """The devices of each worker: one, or as many as `tensor_parallel_size` cuts the model over.

    Raises what `_device` raises, and InvalidOption where the devices that are named do not make whole groups.
    """
    parallel = options.engine.get("tensor_parallel_size", 1)
    size = parallel if isinstance(parallel, int) and parallel > 0 else 1
    named = tuple(_device(name) for name in options.devices or (options.device,))
    if len(named) % size or (size > 1 and "cpu" in named):
        raise InvalidOption(
            f"tensor_parallel_size is {size}, and the devices named are {', '.join(named)}.",
            "Name as many GPUs, or several times as many: `--devices cuda:0,cuda:1`.",
        )
    return [named[start : start + size] for start in range(0, len(named), size)]


def _device(wanted: str) -> str:
    """The device of that name; "auto" is a GPU where torch sees one here, else the CPU. InvalidOption, DeviceMissing."""
    import torch

    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if wanted == "cpu":
        return "cpu"
    if re.fullmatch(r"cuda(:\d{1,3})?", wanted) is None:
        raise InvalidOption(f"vLLM does not run on '{wanted[:40]}'.", "Use cpu, cuda or cuda:1.")
    if torch.version.cuda and int(_index(wanted)) >= torch.cuda.device_count():
        raise DeviceMissing(f"torch sees {torch.cuda.device_count()} GPUs here, not {wanted}.", "See `minizoo doctor`.")
    return f"cuda:{_index(wanted)}"


def _index(device: str) -> str:
    return device.partition(":")[2] or "0"


def _check_settings(own: Mapping[str, Any]) -> None:
    for name, value in own.items():
        kind = KINDS.get(name)
        if kind is None:
            near = closest(name, KINDS)
            raise UnsupportedRequest(
                f"'{name[:60]}' is no setting of vLLM that can be given.",
                f"Did you mean {near}?" if near else f"Known are: {', '.join(KINDS)}.",
            )
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UnsupportedRequest(f"vLLM's setting {name} does not take {value!r}.", "Give it another value.")
        if isinstance(value, int | float) and kind is not bool and value <= 0:
            raise UnsupportedRequest(f"vLLM's setting {name} is more than 0, not {value}.", "Give it another value.")


def _dtype(checkpoint: Checkpoint, wanted: str, device: str) -> Dtype | str:
    """The dtype of activations; vLLM would round a float32 checkpoint to 16 bits where it is left to itself."""
    if wanted != "auto" and wanted not in PLAIN:
        raise UnsupportedDtype(f"'{wanted[:40]}' is not a dtype that vLLM computes in.", f"Use {', '.join(PLAIN)}.")
    if wanted != "auto":
        return wanted
    if stated_quantisation(checkpoint.config) is not None:
        return "auto"
    return "float32" if device == "cpu" else config_dtype(checkpoint.config) or "auto"


def _cache_bytes(checkpoint: Checkpoint, dtype: str, longest: int) -> int:
    """Bytes of the cache of keys and values on a CPU: some whole contexts, within a quarter of what is free."""
    dims = checkpoint.closed_form
    if dims is None:
        return LEAST_CACHE * 4
    one = kv_bytes_per_token(dims, dtype if dtype in BITS else "bfloat16") * (longest + 1)
    room = (available_bytes() or 4 * LEAST_CACHE) // 4
    return max(LEAST_CACHE, one + (one >> 3), min(SEQUENCES_IN_CACHE * one, room))


def _vocabulary(checkpoint: Checkpoint) -> int:
    size = ConfigView(checkpoint.config).value("vocab_size")
    if not isinstance(size, int) or size < 1:
        raise InvalidConfig(
            f"{checkpoint.folder / 'config.json'} has no usable vocab_size ({size!r}).", "Write it again."
        )
    return size
