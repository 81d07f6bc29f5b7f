"""What the fake engine is asked with and answers with: upstream's classes by their public names (upstream.json)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UPSTREAM = json.loads((Path(__file__).parent / "upstream.json").read_text("utf-8"))
SamplingParams: Any = dataclasses.make_dataclass(
    "SamplingParams", [(name, Any, value) for name, value in UPSTREAM["SamplingParams"].items()], kw_only=True
)


@dataclass
class KvCacheConfig:
    enable_block_reuse: bool = True
    max_tokens: int | None = None
    free_gpu_memory_fraction: float | None = 0.9
    dtype: str = "auto"


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None


@dataclass
class CompletionOutput:
    index: int = 0
    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    cumulative_logprob: float | None = None
    logprobs: list[Any] = field(default_factory=list)
    prompt_logprobs: list[Any] = field(default_factory=list)
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    generation_logits: Any = None
    seen: int = 0

    @property
    def length(self) -> int:
        return len(self.token_ids)

    @property
    def token_ids_diff(self) -> list[int]:
        return self.token_ids[self.seen :]

    @property
    def logprobs_diff(self) -> list[Any]:
        return self.logprobs[self.seen :]


class RequestOutput:
    """One request: iterated where it streams, a token an iteration, each computed as it is asked for."""

    def __init__(self, llm: Any, tokens: list[int], params: Any) -> None:
        self.prompt_token_ids, self.outputs = list(tokens), [CompletionOutput()]
        self.finished = False
        self._llm, self._params = llm, params

    def abort(self) -> None:
        self.finished = True

    def result(self, timeout: float | None = None) -> RequestOutput:
        while not self.finished:
            self._step()
        return self

    def __aiter__(self) -> RequestOutput:
        return self

    async def __anext__(self) -> RequestOutput:
        if self.finished:
            raise StopAsyncIteration
        self._step()
        return self

    def _step(self) -> None:
        out, params = self.outputs[0], self._params
        out.seen = len(out.token_ids)
        token, row = self._llm.next_token(self.prompt_token_ids, out.token_ids)
        out.token_ids.append(token)
        out.logprobs += [row] if params.logprobs else []
        ends = not params.ignore_eos and token == params.end_id
        self.finished = ends or len(out.token_ids) >= params.max_tokens
        self._llm.bend(self, out)
