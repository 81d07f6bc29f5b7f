"""The `hf` backend: transformers' own model code, fed by tree packing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from backends.contract import (
    Capabilities,
    Feed,
    GenerateRequest,
    Generation,
    Options,
    Score,
    ScoreRequest,
    Step,
    Tokenizer,
)
from backends.hf.generate import padded_generations
from backends.hf.unpacked import unpacked_scores
from backends.packing.generate import continuous_generations
from backends.packing.packed_model import packed_or_not
from backends.packing.score import check_score, packed_scores
from backends.packing.stream import streamed
from backends.tokenizer import HfTokenizer
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import EnvironmentIssue, InputError

TOKEN_BUDGET = {"cpu": 1536, "cuda": 16384}
"""Tokens of a row, or padded tokens of a batch. On a CPU 1,024 to 3,072 are about as fast, and longer rows leave lanes idle;
the GPU's figure is not measured yet.
"""

Load = Callable[[Checkpoint, str, str], Any]
"""Makes a transformers model in eval mode from checkpoint, device and dtype."""


def open_hf(checkpoint: Checkpoint, options: Options) -> HfBackend:
    """Load the checkpoint with transformers; the entry point of this backend."""
    return HfBackend(checkpoint, options)


class HfBackend:
    """A causal language model of transformers, in eval mode on one device."""

    name = "hf"

    def __init__(
        self, checkpoint: Checkpoint, options: Options, load: Load | None = None, tokenizer: Tokenizer | None = None
    ) -> None:
        import transformers

        self.device = resolve_device(options.device)
        self.tokenizer = tokenizer or HfTokenizer(checkpoint.folder)
        self._model = (load or _load)(checkpoint, self.device, options.dtype)
        self.dtype = str(self._model.dtype).removeprefix("torch.")
        self._packed, how = packed_or_not(self._model, options.eager)
        self.versions: Mapping[str, str] = {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "scoring": how,
        }
        self.capabilities = Capabilities(
            score=True, generate=True, stream=self._packed is not None, max_length=checkpoint.max_length
        )
        self._budget = options.token_budget or TOKEN_BUDGET[self.device.split(":")[0]]

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield Σ log p of each continuation; ValueError for an empty part or a sequence that does not fit."""
        for request in requests:
            check_score(request, self.capabilities.max_length)
        if self._packed is None:
            return unpacked_scores(self._model, requests, self._budget)
        return packed_scores(requests, self._packed, self._budget)

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """Yield the new tokens of each prompt; ValueError for an empty prompt or one that leaves no room."""
        for request in requests:
            _check_generate(request, self.capabilities.max_length)
        if self._packed is None:
            return padded_generations(self._model, self.tokenizer, requests, self._budget)
        return continuous_generations(self._packed, self.tokenizer, requests, self._budget)

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        """See `StreamingBackend`; InputError for a model whose attention packing does not follow."""
        if self._packed is None:
            raise InputError(
                f"{self.name} cannot stream this model ({self.versions['scoring']}).", "Take another backend or model."
            )
        return streamed(self._packed, feed, room, length, clock, self._budget)

    def peak_memory(self, reset: bool = False) -> int | None:
        """Peak bytes of torch's CUDA allocator; None on a CPU, where torch keeps no count."""
        if not self.device.startswith("cuda"):
            return None
        peak = int(torch.cuda.max_memory_allocated(self.device))
        if reset:
            torch.cuda.reset_peak_memory_stats(self.device)
        return peak

    def close(self) -> None:
        """Give back the device memory."""
        del self._model, self._packed
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()


def resolve_device(wanted: str) -> str:
    """`auto` is the first GPU, else the CPU; EnvironmentIssue for a device that is not here."""
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise InputError(f"'{wanted}' is not a device.", "Use cpu, cuda or cuda:1.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise EnvironmentIssue("torch sees no GPU here.", "Use --device cpu, or see `minizoo doctor`.")
    if device.type not in TOKEN_BUDGET:
        raise InputError(f"The hf backend does not run on '{device.type}'.", "Use cpu or cuda.")
    return str(device)


def _load(checkpoint: Checkpoint, device: str, dtype: str) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    if checkpoint.only_pruned:
        raise InputError(f"hf cannot run {checkpoint.folder}: {checkpoint.only_pruned}.", "Use --backend pruned.")
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # what it would warn of is checked below
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            checkpoint.folder,
            dtype=compute_dtype(dtype, device),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except torch.OutOfMemoryError:
        raise EnvironmentIssue(
            f"{checkpoint.name} does not fit into the memory of {device}.", "Use a larger device."
        ) from None
    except Exception as error:  # transformers raises whatever its loader met
        raise InputError(
            f"transformers cannot load {checkpoint.folder} ({str(error).strip().splitlines()[0][:200]}).",
            "Check config.json against the weights, and that transformers knows this model_type without remote code.",
        ) from None
    model, info = loaded
    wrong = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
    if wrong:
        raise InputError(
            f"{checkpoint.folder} lacks {len(wrong)} of the weights that its config.json calls for, first {wrong[0]}.",
            "Its scores would be those of random numbers, so nothing was run: fetch or write the checkpoint again.",
        )
    return model.to(device).eval()


def compute_dtype(wanted: str, device: str) -> Any:
    """torch's dtype of that name; "auto" is "auto" on a GPU, fp32 on a CPU. InputError for what is no float."""
    if wanted == "auto":
        return "auto" if device.startswith("cuda") else torch.float32
    dtype = getattr(torch, wanted, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InputError(f"'{wanted}' is not a floating-point type.", "Use float32, bfloat16 or float16.")
    return dtype


def _check_generate(request: GenerateRequest, max_length: int) -> None:
    if not request.prompt:
        raise ValueError("a generate request needs at least one token of prompt")
    if len(request.prompt) + request.max_new_tokens > max_length:
        raise ValueError(f"{len(request.prompt)} + {request.max_new_tokens} tokens do not fit into {max_length}")
