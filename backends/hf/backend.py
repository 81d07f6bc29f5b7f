"""The `hf` backend: transformers' own model code, fed by tree packing."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
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
from backends.generation_config import applied_settings
from backends.hf.distributions import packed_distributions, unpacked_distributions
from backends.hf.generate import plain_generations
from backends.hf.loading import load_pretrained, load_spread, resolve_device, within_memory
from backends.hf.options import decode_wanted
from backends.hf.plain_stream import plain_stream
from backends.hf.plain_ways import plain_ways
from backends.hf.unpacked import unpacked_scores
from backends.packing.generate import continuous_generations
from backends.packing.score import check_score, packed_scores
from backends.packing.stream import out_of_memory_told, streamed
from backends.tokenizer import HfTokenizer
from backends.trial.packed_or_not import packed_or_not
from zoo.checkpoint.locate import Checkpoint

TOKEN_BUDGET = {"cpu": 1536, "cuda": 16384}
"""Tokens of a row, or padded tokens of a batch. On a CPU 1,024 to 3,072 are about as fast, and longer rows leave workers idle;
the GPU's figure is not measured yet.
"""

Load = Callable[[Checkpoint, str, str], Any]
"""Makes a transformers model in eval mode from checkpoint, device and dtype."""


def open_hf(checkpoint: Checkpoint, options: Options) -> HfBackend:
    """Load the checkpoint with transformers; the entry point of this backend."""
    return HfBackend(checkpoint, options)


class HfBackend:
    """A causal language model of transformers, in eval mode on one device, or in its plain form over several GPUs that
    `Options.devices` names."""

    name = "hf"

    def __init__(
        self, checkpoint: Checkpoint, options: Options, load: Load | None = None, tokenizer: Tokenizer | None = None
    ) -> None:
        import transformers

        spread = options.devices if len(options.devices) > 1 else ()
        self.device = resolve_device(spread[0] if spread else options.device)
        self.tokenizer = tokenizer or HfTokenizer(checkpoint.folder)
        load = load or (partial(load_spread, devices=spread) if spread else load_pretrained)
        self._model = load(checkpoint, self.device, options.dtype)
        self.dtype = str(self._model.dtype).removeprefix("torch.")
        with within_memory(checkpoint, self.device):
            self._packed, how = packed_or_not(self._model, options.eager or bool(spread), decode_wanted(options))
            if self._packed is None:
                self._ways = plain_ways(self._model)
        self.compute_dtype = self._products()
        self.shares_prefixes = self._packed is not None
        fast = self._packed is not None and self._packed.fast is not None
        told = {
            "scoring": f"plain, its layers on {', '.join(spread)}" if spread else how,
            "head": "" if self.compute_dtype == self.dtype or fast else f"of new tokens in {self.dtype}",
            "decode": self._packed.decodes if self._packed else "",
            "plain": "" if self._packed else self._ways.not_taken,
            "generation": applied_settings(self._model),
        }
        self.versions: Mapping[str, str] = {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            **{name: text for name, text in told.items() if text},
        }
        self.capabilities = Capabilities(score=True, generate=True, stream=True, max_length=checkpoint.max_length)
        self._budget = options.token_budget or TOKEN_BUDGET[self.device.split(":")[0]]

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield Σ log p of each continuation; ValueError for an empty part, a sequence that does not fit, an unknown token."""
        for request in requests:
            check_score(request, self.capabilities.max_length)
            self._check_tokens(request.context + request.continuation)
        if self._packed is None:
            return unpacked_scores(self._model, requests, self._budget, self._ways.right_padded)
        return packed_scores(requests, self._packed, self._budget)

    def distributions(self, sequences: Sequence[Sequence[int]], asked: Sequence[int]) -> Iterator[torch.Tensor]:
        """See `DistributionBackend`; a model that packing does not follow reads each sequence alone."""
        for tokens, count in zip(sequences, asked, strict=True):
            _check_asked(tokens, count, self.capabilities.max_length)
            self._check_tokens(tokens)
        if self._packed is None:
            return unpacked_distributions(self._model, sequences, asked)
        return packed_distributions(self._packed, sequences, asked, self._budget)

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """Yield the new tokens of each prompt; ValueError for an empty prompt, one that leaves no room, an unknown token."""
        for request in requests:
            _check_generate(request, self.capabilities.max_length)
            self._check_tokens(request.prompt)
        if self._packed is None:
            return plain_generations(self._model, self.tokenizer, requests, self._budget, self._ways)
        return continuous_generations(self._packed, self.tokenizer, requests, self._budget)

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        """See `StreamingBackend`; a model that packing does not follow decodes each sequence alone."""
        if self._packed is None:
            steps = plain_stream(self._model, feed, room, clock, self._ways.streams_cached)
            return out_of_memory_told(steps, self._model.device)
        return streamed(self._packed, feed, room, length, clock, self._budget)

    def _products(self) -> str:
        """What the layers' matrix products are computed in."""
        dtype = self._packed.compute_dtype if self._packed else self._model.dtype
        rounded = dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest"
        if rounded and self.device.startswith("cuda"):  # as TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 sets it
            return "tfloat32"
        return str(dtype).removeprefix("torch.")

    def _check_tokens(self, tokens: Sequence[int]) -> None:
        """A GPU dies of a token id that the embedding does not have."""
        rows = self._model.get_input_embeddings().weight.shape[0]
        if min(tokens) < 0 or max(tokens) >= rows:
            raise ValueError(f"token ids {min(tokens)} to {max(tokens)} are not all among the {rows} of the embedding")

    def peak_memory(self, reset: bool = False) -> int | None:
        """Peak bytes of torch's CUDA allocator; None on a CPU, where torch keeps no count."""
        if not self.device.startswith("cuda"):
            return None
        peak = int(torch.cuda.max_memory_allocated(self.device))
        if reset:
            torch.cuda.reset_peak_memory_stats(self.device)
        return peak

    def close(self) -> None:
        """Give back the memory of host and device."""
        del self._model, self._packed
        gc.collect()  # its hooks and its twin refer to each other
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()


def _check_generate(request: GenerateRequest, max_length: int) -> None:
    if not request.prompt:
        raise ValueError("a generate request needs at least one token of prompt")
    if len(request.prompt) + request.max_new_tokens > max_length:
        raise ValueError(f"{len(request.prompt)} + {request.max_new_tokens} tokens do not fit into {max_length}")


def _check_asked(tokens: Sequence[int], count: int, max_length: int) -> None:
    if not 0 <= count <= len(tokens) or not tokens:
        raise ValueError(f"{count} positions are asked of a sequence of {len(tokens)} tokens")
    if len(tokens) > max_length:
        raise ValueError(f"a sequence of {len(tokens)} tokens does not fit into {max_length}")
