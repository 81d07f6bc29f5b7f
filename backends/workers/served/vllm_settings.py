"""What a vLLM engine is opened with, and its own errors in the words of the wire. Runs in vLLM's interpreter."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wire import Refused

OLDEST, NEWEST = (0, 32), (0, 33)
"""Releases whose interfaces this was written against, both included; 0.32.0 is the one that was run."""
AT_ONCE = 256
"""Sequences in flight, as vLLM's own default."""
LOGITS_BYTES = {"cpu": 1 << 30, "cuda": 4 << 30}
"""Room for the fp32 logits of the tokens of one step and their log-softmax. vLLM makes both for every token of a prompt whose
log-probabilities are asked, and its memory profiling does not see them: 7.5 GiB at 8,192 tokens of a vocabulary of 152,064,
which kills the engine (vllm-project/vllm#52054)."""
TOKENS_A_STEP = (1024, 8192)
"""The least and the most tokens of a step where none are asked for; the most is vLLM's own default on most devices."""
GPU_SHARE = 0.85
"""Of the memory of a GPU: less than vLLM's 0.92, to leave room for those logits."""
CPU_BLOCK = 32
"""Tokens of a block on a CPU, what its kernels like; vLLM's 128 there would share little between short prompts."""
PASSED = (
    "attention_backend",
    "block_size",
    "enable_prefix_caching",
    "enforce_eager",
    "gpu_memory_utilization",
    "kv_cache_dtype",
    "kv_cache_memory_bytes",
    "max_num_batched_tokens",
    "max_num_seqs",
    "tensor_parallel_size",
)
"""Settings of the parent's that go to vLLM under the same name."""
MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "available memory",
    "kv cache is needed",
)
"""Parts of what torch and vLLM say where memory runs out."""


def vllm_module() -> Any:
    """The engine's package; Refused where it is missing or cannot be imported, or is of a release that is not known here."""
    try:
        vllm = importlib.import_module("vllm")
        _ = vllm.LLMEngine, vllm.EngineArgs, vllm.SamplingParams
    except ModuleNotFoundError as error:
        raise Refused("missing", one_line(error)) from None
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        hint = " Uninstall torchvision, torchaudio and torchcodec there." if "torchvision" in str(error) else ""
        raise Refused("version", f"vLLM cannot be imported there ({one_line(error)}).{hint}") from None
    found = re.match(r"(\d+)\.(\d+)", str(vllm.__version__))
    release = (int(found[1]), int(found[2])) if found else (0, 0)
    if not OLDEST <= release <= NEWEST:
        spoken = " to ".join(".".join(map(str, edge)) for edge in (OLDEST, NEWEST))
        raise Refused("version", f"vLLM {vllm.__version__} is installed there, and vLLM {spoken} is what is driven.")
    return vllm


def engine_arguments(folder: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of vLLM's EngineArgs for a checkpoint's folder and what the parent asks.

    The engine is opened one position longer than the model's context: vLLM wants a free one for the token that it always
    generates. That token is never fed back, so no position beyond the model's own is ever computed.
    """
    own = dict(options.get("engine") or {})
    kind = "cpu" if str(options.get("device", "cpu")).startswith("cpu") else "cuda"
    bare = bool(options.get("random_weights"))
    drawn: dict[str, Any] = {
        "model": folder,
        "skip_tokenizer_init": bare or not has_tokenizer(folder),
        "trust_remote_code": False,
        "load_format": "dummy" if bare else "safetensors",
        "dtype": own["dtype"],
        "max_model_len": own["max_model_len"] + 1,
        "max_num_seqs": AT_ONCE,
        "max_num_batched_tokens": options.get("token_budget") or tokens_a_step(own["vocabulary"], kind),
        "enable_chunked_prefill": True,
        "enable_prefix_caching": not options.get("eager"),
        "enforce_eager": kind == "cpu" or bool(options.get("eager")),
        "generation_config": "vllm",
        "disable_log_stats": True,
        "seed": 0,
    }
    drawn |= {"block_size": CPU_BLOCK} if kind == "cpu" else {"gpu_memory_utilization": GPU_SHARE}
    drawn |= {name: own[name] for name in PASSED if own.get(name) is not None}
    drawn["max_num_batched_tokens"] = max(drawn["max_num_batched_tokens"], drawn["max_num_seqs"])
    return drawn


def chosen_ids(config: Any, options: Mapping[str, Any]) -> bool:
    """Whether scores are asked by chosen ids of the prompt; Refused where that is wanted and the engine's runner has none."""
    if not (options.get("engine") or {}).get("prompt_logprob_token_ids"):
        return False
    if not config.use_v2_model_runner:
        raise Refused(
            "unsupported", "prompt_logprob_token_ids is told by vLLM's V2 runner alone, and another runs here"
        )
    return True


def tokens_a_step(vocabulary: int, kind: str) -> int:
    """Tokens of a step whose fp32 logits and log-softmax fit into LOGITS_BYTES."""
    least, most = TOKENS_A_STEP
    return max(least, min(most, LOGITS_BYTES[kind] // (2 * 4 * max(1, vocabulary))))


def has_tokenizer(folder: str) -> bool:
    """Whether vLLM finds a tokenizer in the folder."""
    return any(
        (Path(folder) / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
    )


def refusal(error: BaseException, folder: str | None = None) -> Refused:
    """What vLLM raised while it opened the model in `folder`, or asked it, as a refusal: memory, or what it does not run."""
    said = one_line(error)
    if isinstance(error, MemoryError) or any(part in said.lower() for part in MEMORY):
        return Refused("memory", said)
    method = quantised_by(folder) if folder else None
    if method is not None:
        said = f"its weights are quantised ({method}), and vLLM does not run them on this device: {said}"
    return Refused("unsupported", said)


def quantised_by(folder: str) -> str | None:
    """The method by which config.json says that the weights are quantised; None where it says nothing of it."""
    try:
        told = json.loads((Path(folder) / "config.json").read_text("utf-8")).get("quantization_config")
    except (OSError, ValueError, AttributeError):
        return None
    return str(told.get("quant_method")) if isinstance(told, dict) else None


def one_line(error: BaseException) -> str:
    """The innermost message of an exception without line breaks; pydantic's own wrapping left away."""
    said = " ".join(str(error).split()) or type(error).__name__
    inner = re.search(r"Value error, (.*?)(?: \[type=|$)", said)
    return (inner[1] if inner else said)[:600]
