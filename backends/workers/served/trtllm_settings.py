"""What TensorRT-LLM is opened with, and its own errors in the words of the wire. Runs in its interpreter."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wire import Refused

OLDEST = ((1, 3, 0), 11)
"""The first release, 1.3.0rc11, whose PyTorch backend tells the log-probability of every token of a prompt
(NVIDIA/TensorRT-LLM#11866, `tensorrt_llm/executor/base_worker.py`)."""
NEWEST = (1, 4)
"""The newest series whose sources this was written against."""
TOO_OLD = (
    "it tells the most probable tokens of a prompt's rows and not those that stand there, so nothing can be scored: "
    "1.3.0rc11 is the first that does"
)
FINAL = 1 << 16
"""The number of a release that is no candidate: behind all of them."""
AT_ONCE = 128
"""Sequences in flight."""
LOGITS_BYTES = 8 << 30
"""Room for the fp32 logits of all rows of the prompts that are asked together, and for their log-softmax beside them: the
engine makes both for every row, as it goes and outside what it measured when it was opened (NVIDIA/TensorRT-LLM#3636)."""
STEP_TOKENS = 8192
"""Tokens of a step where memory does not ask for fewer: upstream's own default."""
GPU_SHARE = 0.8
"""Of the memory that weights leave free, for keys and values: less than upstream's 0.9, to leave room for those logits."""
MEMORY = (
    "out of memory",
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "insufficient memory",
)
"""Parts of what torch and the engine say where memory runs out."""
OLD_DRIVER = ("driver on your system is too old", "driver version is insufficient", "unsupported toolchain")
"""Parts of what torch and CUDA say of a driver that is older than the CUDA that the engine was built for."""
BUILT = ("builder_config", "build_config", "pretrained_config")
"""Keys of the config.json that `trtllm-build` wrote beside an engine."""


def trtllm_module() -> Any:
    """The engine's package; Refused where it is missing, cannot be imported, or is of a release that cannot be asked."""
    try:
        module = importlib.import_module("tensorrt_llm")
        _ = module.LLM, module.SamplingParams, importlib.import_module("tensorrt_llm.llmapi").KvCacheConfig
    except ModuleNotFoundError as error:
        raise Refused("missing", one_line(error)) from None
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise old_driver(error) or Refused(
            "version", f"TensorRT-LLM cannot be imported there ({one_line(error)})"
        ) from None
    check_release(str(module.__version__))
    return module


def check_release(version: str) -> None:
    """Refused for a release before OLDEST, behind NEWEST, or one that cannot be read."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?(?:rc(\d+))?", version)
    if found is None:
        raise Refused("version", f"TensorRT-LLM there calls itself {version!r}, which is no release")
    release = (int(found[1]), int(found[2]), int(found[3] or 0))
    if (release, int(found[4]) if found[4] else FINAL) < OLDEST:
        raise Refused("version", f"TensorRT-LLM {version} is installed there, and {TOO_OLD}")
    if release[:2] > NEWEST:
        raise Refused(
            "version",
            f"TensorRT-LLM {version} is installed there, and 1.3.0rc11 to {NEWEST[0]}.{NEWEST[1]} is what is driven",
        )


def check_gpus(wanted: int) -> None:
    """Refused where torch there sees fewer GPUs than the model is cut over, or no driver that is new enough."""
    import torch

    try:
        torch.cuda.init()
        seen = int(torch.cuda.device_count())
    except (RuntimeError, AssertionError) as error:
        if (refused := old_driver(error)) is not None:
            raise refused from None
        raise _no_gpu(f"torch there sees none ({one_line(error)})") from None
    if seen < wanted:
        raise _no_gpu(f"torch there sees {seen} and {wanted} are needed")


def _no_gpu(said: str) -> Refused:
    return Refused(
        "told",
        f"TensorRT-LLM runs on NVIDIA's GPUs alone, and {said}.",
        code="device-missing",
        hint="See `minizoo doctor`; in a container, pass the GPUs to it (`--gpus all`).",
    )


def old_driver(error: BaseException) -> Refused | None:
    """The refusal where an error is about a driver that is too old; None where it is about something else."""
    said = one_line(error)
    if not any(part in said.lower() for part in OLD_DRIVER):
        return None
    return Refused(
        "told",
        f"The NVIDIA driver of this machine is too old for the CUDA of this TensorRT-LLM ({said}).",
        code="device-missing",
        hint="Update the driver, or install cuda-compat of that CUDA, as upstream's installation guide says.",
    )


def check_folder(folder: str) -> None:
    """Refused for a folder whose config.json is that of a built engine."""
    try:
        config = json.loads((Path(folder) / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(config, dict) and "architectures" not in config and any(key in config for key in BUILT):
        raise Refused(
            "unsupported", f"{folder} is a built engine; releases since 1.3 run checkpoints alone: give its checkpoint"
        )


def rows_at_once(vocabulary: int) -> int:
    """Rows of logits, with their log-softmax, that fit into LOGITS_BYTES."""
    return max(1, LOGITS_BYTES // (2 * 4 * max(1, vocabulary)))


def llm_arguments(folder: str, options: Mapping[str, Any], kv_cache_config: Any) -> dict[str, Any]:
    """Arguments of `tensorrt_llm.LLM` for a checkpoint's folder and what the parent asks.

    It is opened one position longer than the context, for the token that it always generates, and for steps as long as the
    longest prompt: it would refuse a longer one, and a prompt in chunks is not known to keep its rows. The prefix cache ("block
    reuse") is off unless it is asked for: rows that it gives are missing from the log-probabilities (nvbugs/5577178).
    """
    own = dict(options.get("engine") or {})
    longest: int = own["max_seq_len"]
    tokens = int(own.get("max_num_tokens") or options.get("token_budget") or STEP_TOKENS)
    cache = {
        "enable_block_reuse": bool(own.get("enable_block_reuse")),
        "free_gpu_memory_fraction": float(own.get("free_gpu_memory_fraction") or GPU_SHARE),
        "dtype": own.get("kv_cache_dtype"),
    }
    drawn = {
        "model": folder,
        "skip_tokenizer_init": True,
        "trust_remote_code": False,
        "tensor_parallel_size": int(own.get("tensor_parallel_size") or 1),
        "dtype": own["dtype"],
        "load_format": "dummy" if options.get("random_weights") else "auto",
        "max_batch_size": int(own.get("max_batch_size") or AT_ONCE),
        "max_input_len": longest,
        "max_seq_len": longest + 1,
        "max_num_tokens": max(tokens, longest),
        "enable_chunked_prefill": False,
        "kv_cache_config": kv_cache_config(**{name: value for name, value in cache.items() if value is not None}),
        "attn_backend": own.get("attn_backend"),
    }
    return {name: value for name, value in drawn.items() if value is not None}


def refusal(error: BaseException, folder: str | None = None) -> Refused:
    """What the engine raised while it opened the model in `folder`, or was asked, as a refusal."""
    said = one_line(error)
    if (refused := old_driver(error)) is not None:
        return refused
    if isinstance(error, MemoryError) or any(part in said.lower() for part in MEMORY):
        return Refused("memory", said)
    method = quantised_by(folder) if folder else None
    if method is not None:
        said = f"its weights are quantised ({method}), and TensorRT-LLM does not run them on this device: {said}"
    return Refused("unsupported", said)


def quantised_by(folder: str) -> str | None:
    """The method by which config.json, or ModelOpt's own file, says that weights are quantised; None where neither does."""
    for name, key, method in (
        ("config.json", "quantization_config", "quant_method"),
        ("hf_quant_config.json", "quantization", "quant_algo"),
    ):
        try:
            told = json.loads((Path(folder) / name).read_text("utf-8")).get(key)
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(told, dict):
            return str(told.get(method) or told.get("quant_algo"))
    return None


def one_line(error: BaseException) -> str:
    """An exception's message without line breaks."""
    return (" ".join(str(error).split()) or type(error).__name__)[:600]
