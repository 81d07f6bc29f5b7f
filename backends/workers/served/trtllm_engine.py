"""TensorRT-LLM behind the worker's protocol: one `LLM` of its PyTorch backend. Standard library and the engine alone.

    python serving.py --socket PATH --engine trtllm_engine.py

Written against the sources of 1.3.0rc11 to 1.4.0rc1, and never run by minizoo's authors on a GPU: no part of it.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import trtllm_streaming
from trtllm_scoring import Scoring
from trtllm_settings import (
    check_folder,
    check_gpus,
    llm_arguments,
    quantised_by,
    refusal,
    rows_at_once,
    trtllm_module,
)
from wire import Refused

FIRST_TOKENS = 2
"""New tokens of the first request."""
NEVER_RUN = (
    "TensorRT-LLM's worker was written against its sources and has never been run: look at `minizoo conformance`"
)


class Engine:
    """A model in TensorRT-LLM. `options["engine"]` has `dtype`, `max_seq_len`, `vocabulary`, and the engine's own settings."""

    def __init__(self, folder: str, options: Mapping[str, Any]) -> None:
        """Load the model and answer a first request of each kind: one that loads may still die at its first.

        Refused `version` for a release that is missing or not known, `told` where there is no GPU or an old driver, `memory`
        where the device is too small, `unsupported` for a folder or a model that it does not run.
        """
        check_folder(folder)
        module = trtllm_module()
        own = dict(options.get("engine") or {})
        check_gpus(int(own.get("tensor_parallel_size") or 1))
        arguments = llm_arguments(folder, options, module.llmapi.KvCacheConfig)
        self._llm: Any = None
        try:
            self._llm = module.LLM(**arguments)
            self._params = module.SamplingParams
            self._at_once: int = arguments["max_batch_size"]
            self._reuse = bool(arguments["kv_cache_config"].enable_block_reuse)
            self._tokenizer = None if options.get("random_weights") else _tokenizer(folder)
            self._streams = trtllm_streaming.Streams(self._llm)
            rows, size = rows_at_once(own["vocabulary"]), int(own["vocabulary"])
            self._scoring = Scoring(self._llm, self._params, size, rows, self._at_once, self._reuse)
            self.described = self._describe(module, arguments, options, folder)
            self._first_requests()
        except Refused:
            self._end()
            raise
        except Exception as error:  # whatever the engine, torch or the model's own code raises
            self._end()
            raise refusal(error, folder) from error

    def check(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """Refused for settings of generate requests that are not followed."""
        for request in requests:
            trtllm_streaming.check_settings(request, self._tokenizer)

    def score(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield each request's answer."""
        for request in requests:
            self._check([*request["context"], *request["continuation"]], 1)
        return self._told(self._scoring.scores(requests))

    def generate(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield each request's new tokens, the one that ended it last among them."""
        self.check(requests)
        for request in requests:
            self._check([*request["prompt"], *[0] * request["max_new_tokens"]], 0)
        made = trtllm_streaming.generations(self._streams, self._params, self._tokenizer, requests, self._at_once)
        return self._told(made)

    def stream(self, take: trtllm_streaming.Take, room: int, length: int) -> Iterator[dict[str, Any]]:
        """Yield tokens with `time.monotonic()` as the engine's stream gives them."""
        self._check([0] * length, 0)
        return self._told(trtllm_streaming.streamed(self._streams, self._params, take, room, self._at_once))

    def peak_memory(self, reset: bool) -> int | None:
        """None: the engine computes in a process of its own, and tells no count of its allocator."""
        return None

    def close(self) -> None:
        """Give back the memory, and leave in the worker's log what scoring came to."""
        print(self._scoring.counts.told, file=sys.stderr, flush=True)
        self._end()
        del self._scoring
        gc.collect()

    def _end(self) -> None:
        if hasattr(self, "_streams"):
            self._streams.close()
            del self._streams
        if self._llm is not None:
            self._llm.shutdown()
            self._llm = None

    def _check(self, tokens: Sequence[int], over: int) -> None:
        """The engine cuts `max_tokens` down to what fits with a warning alone, and looks at no token id."""
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

    def _describe(
        self, module: Any, arguments: Mapping[str, Any], options: Mapping[str, Any], folder: str
    ) -> dict[str, Any]:
        own, method = options["engine"], quantised_by(folder)
        computed = str(arguments["dtype"])
        return {
            "device": str(options.get("device", "cuda:0")),
            "dtype": str(method or computed),
            "compute_dtype": None if computed == "auto" else computed,
            "versions": self._versions(module, arguments, method),
            "max_length": arguments["max_seq_len"] - 1,
            "score": True,
            "generate": True,
            "stream": True,
            "shares_prefixes": self._reuse,
            "vocabulary": int(own["vocabulary"]),
            "notes": [NEVER_RUN],
        }

    def _versions(self, module: Any, arguments: Mapping[str, Any], method: str | None) -> dict[str, str]:
        """What computes, and each setting that may change a number or a time."""
        import torch
        import transformers

        parallel, cache = arguments["tensor_parallel_size"], arguments["kv_cache_config"].dtype
        told = {
            "tensorrt_llm": str(module.__version__),
            "torch": str(torch.__version__),
            "transformers": str(transformers.__version__),
            "scoring": "logits of one new token" if self._reuse else "rows of the prompt, logits of one new token",
            "block reuse": "on" if self._reuse else "off",
            "tokens a step": str(arguments["max_num_tokens"]),
            "sequences at once": str(arguments["max_batch_size"]),
            "quantisation": method or "",
            "kv cache": "" if cache == "auto" else str(cache),
            "tensor parallel": "" if parallel == 1 else str(parallel),
            "weights": "random, TensorRT-LLM's dummy loader" if arguments["load_format"] == "dummy" else "",
        }
        return {name: text for name, text in told.items() if text}

    def _first_requests(self) -> None:
        """Score and generate once; what is not finite means that the weights are not, or that the engine is broken."""
        ending = [0] if self._reuse else [0, 0]
        scored = list(self.score([{"index": 0, "context": [0], "continuation": ending, "per_token": True}]))
        if len(scored) != 1 or not scored[0]["finite"]:
            raise Refused("unsupported", "the first score is not a number: weights or activations are NaN or infinite")
        if self.described["max_length"] <= FIRST_TOKENS:
            return
        made = list(self.generate([{"index": 0, "prompt": [0], "max_new_tokens": FIRST_TOKENS}]))
        if len(made) != 1 or len(made[0]["tokens"]) != FIRST_TOKENS:
            raise Refused("unsupported", f"the first request for {FIRST_TOKENS} tokens was not answered with as many")


def _tokenizer(folder: str) -> Any:
    """The folder's tokenizer, for stop strings; None where it has none."""
    from pathlib import Path

    if not any((Path(folder) / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        return None
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
