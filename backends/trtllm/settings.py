"""What a TensorRT-LLM worker is told: device, dtype, context, the engine's own settings, and its environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.contract import Options
from backends.trtllm.support import supported
from zoo.arch.config_keys import ConfigView
from zoo.arch.held import config_dtype
from zoo.arch.runnable import stated_quantisation
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import (
    DeviceMissing,
    EngineRefused,
    InvalidConfig,
    InvalidOption,
    UnsupportedDtype,
    UnsupportedRequest,
    WrongBackend,
)
from zoo.names import closest

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "attn_backend": str,
    "enable_block_reuse": bool,
    "free_gpu_memory_fraction": (int, float),
    "kv_cache_dtype": str,
    "max_batch_size": int,
    "max_num_tokens": int,
    "max_seq_len": int,
    "tensor_parallel_size": int,
}
"""TensorRT-LLM's settings that may be given, by its own names, and what their values are."""
DTYPES = ("bfloat16", "float16")
"""What its attention computes in."""
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",
    "TLLM_LOG_LEVEL": "WARNING",
    "TRTLLM_NO_USAGE_STATS": "1",
}
"""Variables of every worker: it asks no network, says little, and may be opened one position longer than the context (for the
token that the engine always generates; `_init_max_seq_len` of its model engine shortens it without a word otherwise)."""


def settled(checkpoint: Checkpoint, options: Options, device: str) -> Options:
    """The options as the worker gets them: `device` and `dtype` decided, `engine` complete.

    Raises UnsupportedRequest for a setting that is not the engine's or has another kind of value, UnsupportedDtype,
    WrongBackend for a checkpoint that it has no form for, EngineRefused for a folder of a built engine.
    """
    own = {**options.engine}
    _check_settings(own)
    refuse_engine_folder(checkpoint.folder)
    if checkpoint.only_pruned and not options.random_weights:
        raise WrongBackend(
            f"TensorRT-LLM cannot run {checkpoint.name}: {checkpoint.only_pruned}.", "Use --backend pruned."
        )
    dtype = _dtype(checkpoint, options.dtype)
    own.setdefault("enable_block_reuse", options.random_weights)
    longest = min(own.get("max_seq_len", checkpoint.max_length), checkpoint.max_length)
    own |= {"dtype": dtype, "max_seq_len": longest, "vocabulary": _vocabulary(checkpoint)}
    return replace(options, device=device, dtype=dtype, engine=own)


def refuse_engine_folder(folder: Path) -> None:
    """EngineRefused for a folder that holds an engine which `trtllm-build` made: releases since 1.3 run checkpoints alone."""
    built = sorted(path.name for path in folder.glob("*.engine"))
    if built:
        raise EngineRefused(
            f"{folder} holds an engine that was built for TensorRT ({built[0]}), not a checkpoint: TensorRT-LLM has run "
            "checkpoints alone since its engines were removed.",
            "Give the folder of the checkpoint that it was built from.",
        )


def refuse_unsupported(checkpoint: Checkpoint) -> None:
    """EngineRefused for an architecture that upstream has no model for (`backends.trtllm.support`)."""
    named = checkpoint.config.get("architectures")
    kind = str(named[0]) if isinstance(named, Sequence) and named and not isinstance(named, str) else None
    if kind is not None and supported(kind) is None:
        raise EngineRefused(
            f"TensorRT-LLM has no model for {kind}, the architecture of {checkpoint.name}.",
            "Take another `--backend`; docs/tensorrt-llm.md has what it runs.",
        )


def environment(devices: tuple[str, ...]) -> dict[str, str]:
    """Environment variables of the worker that holds a model on these devices."""
    return {**QUIET, "CUDA_VISIBLE_DEVICES": ",".join(map(_index, devices))}


def device_groups(options: Options) -> list[tuple[str, ...]]:
    """The GPUs of each worker: one, or as many as `tensor_parallel_size` cuts the model over.

    Raises InvalidOption for what is no GPU, or where the devices that are named do not make whole groups, DeviceMissing for a
    GPU that torch does not see.
    """
    parallel = options.engine.get("tensor_parallel_size", 1)
    size = parallel if isinstance(parallel, int) and parallel > 0 else 1
    named = tuple(_device(name) for name in options.devices or (options.device,))
    if len(named) % size:
        raise InvalidOption(
            f"tensor_parallel_size is {size}, and the devices named are {', '.join(named)}.",
            "Name as many GPUs, or several times as many: `--devices cuda:0,cuda:1`.",
        )
    return [named[start : start + size] for start in range(0, len(named), size)]


def _device(wanted: str) -> str:
    """The GPU of that name. This interpreter's torch may be built for CPUs, and then the worker tells what is there."""
    import torch

    if wanted == "cpu":
        raise DeviceMissing(
            "TensorRT-LLM runs on NVIDIA's GPUs alone, and the device asked for is the CPU.",
            "Name a GPU (`--device cuda:0`), or take another `--backend`.",
        )
    if re.fullmatch(r"auto|cuda(:\d{1,3})?", wanted) is None:
        raise InvalidOption(f"TensorRT-LLM does not run on '{wanted[:40]}'.", "Use cuda or cuda:1.")
    if torch.version.cuda and int(_index(wanted)) >= torch.cuda.device_count():
        raise DeviceMissing(
            f"TensorRT-LLM runs on NVIDIA's GPUs alone; torch sees {torch.cuda.device_count()} here, and {wanted} is asked.",
            "See `minizoo doctor`, or take another `--backend`.",
        )
    return f"cuda:{_index(wanted)}"


def _index(device: str) -> str:
    return device.partition(":")[2] or "0"


def _check_settings(own: Mapping[str, Any]) -> None:
    for name, value in own.items():
        kind = KINDS.get(name)
        if kind is None:
            near = closest(name, KINDS)
            raise UnsupportedRequest(
                f"'{name[:60]}' is no setting of TensorRT-LLM that can be given.",
                f"Did you mean {near}?" if near else f"Known are: {', '.join(KINDS)}.",
            )
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UnsupportedRequest(
                f"TensorRT-LLM's setting {name} does not take {value!r}.", "Give it another value."
            )
        if isinstance(value, int | float) and kind is not bool and value <= 0:
            raise UnsupportedRequest(
                f"TensorRT-LLM's setting {name} is more than 0, not {value}.", "Give it another value."
            )


def _dtype(checkpoint: Checkpoint, wanted: str) -> str:
    """The dtype of activations: what is asked, else what the checkpoint says; quantised weights choose it themselves."""
    if wanted == "auto" and stated_quantisation(checkpoint.config) is not None:
        return "auto"
    chosen = (config_dtype(checkpoint.config) or "auto") if wanted == "auto" else wanted
    if chosen != "auto" and chosen not in DTYPES:
        raise UnsupportedDtype(
            f"TensorRT-LLM does not compute in {chosen[:40]}"
            + (f", in which {checkpoint.name} is stored." if wanted == "auto" else "."),
            f"Use `--dtype {'` or `--dtype '.join(DTYPES)}`.",
        )
    return chosen


def _vocabulary(checkpoint: Checkpoint) -> int:
    size = ConfigView(checkpoint.config).value("vocab_size")
    if not isinstance(size, int) or size < 1:
        raise InvalidConfig(
            f"{checkpoint.folder / 'config.json'} has no usable vocab_size ({size!r}).", "Write it again."
        )
    return size
