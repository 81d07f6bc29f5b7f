"""The fake `LLM`: it answers with a model's own forward pass, in the layout of a version family, and misbehaves by name.

Families, by when a row of a prompt holds the token that was sent: `1.2` tells the most probable alone (`compute_logprobs` of
executor/result.py at a678b91a, which is given no tokens), `1.3` (from rc11) and `1.4` always that token too (base_worker.py at
000bd1a6). Cited in upstream.json.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from support.fake_trtllm.results import UPSTREAM, KvCacheConfig, Logprob, RequestOutput, SamplingParams

VERSIONS = {"1.2": "1.2.1", "1.3": "1.3.0rc11", "1.4": "1.4.0rc1"}
BLOCK = 32
"""Tokens of a block of the cache, as upstream's `tokens_per_block`."""

Numbers = Callable[[tuple[int, ...]], Any]
"""Token ids → fp32 logits behind each of them."""


class LLM:
    """`numbers` answers, `family` lays out, `fault` is planted (`faults.py`)."""

    numbers: Numbers
    family = "1.4"
    fault: Any = None
    opened: list[dict[str, Any]]

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        tokenizer_mode: str = "auto",
        skip_tokenizer_init: bool = False,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        revision: Any = None,
        tokenizer_revision: Any = None,
        **kwargs: Any,
    ) -> None:
        for name in kwargs:
            if name not in UPSTREAM["LLM.kwargs"]:
                raise ValueError(f"LLM got invalid argument: {name}")
        self.opened.append({"model": model, "dtype": dtype, "skip_tokenizer_init": skip_tokenizer_init, **kwargs})
        self.args = SimpleNamespace(max_num_tokens=8192, max_seq_len=None, kv_cache_config=KvCacheConfig())
        self.args.__dict__.update(kwargs)
        self.asked: list[tuple[list[int], Any, Any]] = []
        self._cached: set[tuple[int, ...]] = set()
        if self.fault:
            self.fault.opening(self)

    def generate(
        self,
        inputs: Any,
        sampling_params: Any = None,
        use_tqdm: bool = True,
        lora_request: Any = None,
        prompt_adapter_request: Any = None,
        kv_cache_retention_config: Any = None,
        disaggregated_params: Any = None,
        scheduling_params: Any = None,
        cache_salt: Any = None,
    ) -> Any:
        made = [self._whole(tokens, sampling_params[at], cache_salt) for at, tokens in enumerate(inputs)]
        return self.fault.outputs(made) if self.fault else made

    def generate_async(
        self,
        inputs: Any,
        sampling_params: Any = None,
        lora_request: Any = None,
        prompt_adapter_request: Any = None,
        streaming: bool = False,
        kv_cache_retention_config: Any = None,
        disaggregated_params: Any = None,
        _postproc_params: Any = None,
        scheduling_params: Any = None,
        cache_salt: Any = None,
    ) -> RequestOutput:
        self._check(inputs, sampling_params)
        self.asked.append((list(inputs), sampling_params, cache_salt))
        return RequestOutput(self, inputs, sampling_params)

    def shutdown(self) -> None:
        if self.fault:
            self.fault.closing(self)

    def next_token(self, prompt: list[int], new: list[int]) -> tuple[int, dict[int, Logprob]]:
        logits = type(self).numbers((*prompt, *new))[-1]
        if self.fault:
            logits = self.fault.new_logits(logits)
        token = int(logits.argmax())
        return token, row_of(torch.log_softmax(logits, -1), 1, token)

    def bend(self, output: RequestOutput, out: Any) -> None:
        if self.fault:
            self.fault.step(output, out)

    def _check(self, tokens: Any, params: Any) -> None:
        if len(tokens) > self.args.max_num_tokens:
            raise ValueError(
                f"The sum of prompt length ({len(tokens)}), query length (0) should not exceed max_num_tokens"
            )
        if len(tokens) >= self.args.max_seq_len:
            raise ValueError("`default_max_tokens` must be greater than 0")
        params.max_tokens = min(params.max_tokens, self.args.max_seq_len - len(tokens))  # with a warning, upstream

    def _whole(self, tokens: Any, params: Any, salt: Any) -> RequestOutput:
        self._check(tokens, params)
        self.asked.append((list(tokens), params, salt))
        sent = self.fault.prompt(list(tokens)) if self.fault else list(tokens)
        output = RequestOutput(self, sent, params)
        logits = type(self).numbers(tuple(sent))
        out = output.outputs[0]
        out.token_ids, output.finished, out.finish_reason = [int(logits[-1].argmax())], True, "length"
        if params.return_generation_logits:
            out.generation_logits = logits[-1:].clone()
        if params.prompt_logprobs:
            computed = logits[self._found(tuple(sent)) :]
            told = [*sent[1:], *out.token_ids][-len(computed) :]
            tokens_told = told if self.family != "1.2" else [None] * len(told)
            logps = torch.log_softmax(computed, -1)
            out.prompt_logprobs = rows_of(logps, params.prompt_logprobs, tokens_told)
        self._cached |= {tuple(sent[:end]) for end in range(BLOCK, len(sent) + 1, BLOCK)}
        if self.fault:
            self.fault.rows(self, output, out)
        return output

    def _found(self, tokens: tuple[int, ...]) -> int:
        """Tokens that block reuse gives; at least one is always computed."""
        if not self.args.kv_cache_config.enable_block_reuse:
            return 0
        return max((end for end in range(BLOCK, len(tokens), BLOCK) if tokens[:end] in self._cached), default=0)


def row_of(logprobs: Any, k: int, token: int | None) -> dict[int, Logprob]:
    """One row of `rows_of`."""
    return rows_of(logprobs[None], k, [token])[0]


def rows_of(logprobs: Any, k: int, tokens: list[int | None]) -> list[dict[int, Logprob]]:
    """The k most probable tokens with their ranks, and each row's token itself with how many are more probable."""
    values, ids = logprobs.topk(k)
    own = logprobs.gather(1, torch.tensor([token or 0 for token in tokens])[:, None])
    above = (logprobs > own).sum(1).tolist()
    rows: list[dict[int, Logprob]] = []
    for best, names, token, value, more in zip(
        values.tolist(), ids.tolist(), tokens, own[:, 0].tolist(), above, strict=True
    ):
        row = {name: Logprob(logprob, rank) for rank, (name, logprob) in enumerate(zip(names, best, strict=True), 1)}
        if token is not None and token not in row:
            row[token] = Logprob(value, more + 1)
        rows.append(row)
    return rows


def package(numbers: Numbers, family: str = "1.4", fault: Any = None) -> dict[str, ModuleType]:
    """Modules by name, for `sys.modules`."""
    top: Any = ModuleType("tensorrt_llm")
    inner: Any = ModuleType("tensorrt_llm.llmapi")
    made = type("LLM", (LLM,), {"numbers": staticmethod(numbers), "family": family, "fault": fault, "opened": []})
    top.LLM, top.SamplingParams, top.__version__ = made, SamplingParams, VERSIONS[family]
    top.llmapi, inner.KvCacheConfig = inner, KvCacheConfig
    return {"tensorrt_llm": top, "tensorrt_llm.llmapi": inner}
