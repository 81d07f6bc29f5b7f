"""An engine that answers as vLLM does, its prefix cache's fault included: rows that came from the cache are rubbish.

Log-probabilities are those of a small table, so what is right is known. `short_rows` answers as vLLM's V2 runner does, which
leaves the cached rows out instead.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

VOCABULARY = 11


def logprobs_after(tokens: tuple[int, ...]) -> list[float]:
    """log p of every token after these."""
    weights = [1 + (7 * sum(tokens) + 3 * token * len(tokens)) % 13 for token in range(VOCABULARY)]
    total = math.log(sum(weights))
    return [math.log(weight) - total for weight in weights]


class Flat:
    """vLLM's FlatLogprobs, as far as it is read."""

    def __init__(self) -> None:
        self.start_indices: list[int] = []
        self.token_ids: list[int] = []
        self.logprobs: list[float] = []
        self.ranks: list[int | None] = []

    def add(self, *entries: tuple[int, float, int | None]) -> None:
        self.start_indices.append(len(self.token_ids))
        for token, logprob, rank in entries:
            self.token_ids.append(token)
            self.logprobs.append(logprob)
            self.ranks.append(rank)

    def __len__(self) -> int:
        return len(self.start_indices)


class FakeEngine:
    """Requests are answered one a step, in the order in which they came."""

    def __init__(self, block_size: int = 4, blocks: int = 1000, short_rows: bool = False, obeys: bool = True) -> None:
        self.vllm_config = SimpleNamespace(
            cache_config=SimpleNamespace(block_size=block_size, num_gpu_blocks=blocks),
            scheduler_config=SimpleNamespace(max_num_seqs=8),
        )
        groups = SimpleNamespace(kv_cache_groups=[None])
        self.engine_core = SimpleNamespace(
            engine_core=SimpleNamespace(scheduler=SimpleNamespace(kv_cache_config=groups))
        )
        self._block, self._short, self._obeys = block_size, short_rows, obeys
        self._cached: set[tuple[int, ...]] = set()
        self._waiting: list[tuple[str, tuple[int, ...], Any]] = []
        self.seen: list[tuple[tuple[int, ...], Any]] = []
        self.most_blocks = 0

    def add_request(self, number: str, prompt: dict[str, list[int]], params: Any) -> None:
        tokens = tuple(prompt["prompt_token_ids"])
        self._waiting.append((number, tokens, params))
        self.seen.append((tokens, params))
        self.most_blocks = max(self.most_blocks, sum(-(-(len(t) + 1) // self._block) for _, t, _ in self._waiting))

    def reset_prefix_cache(self) -> None:
        self._cached.clear()

    def abort_request(self, numbers: list[str]) -> None:
        self._waiting = [one for one in self._waiting if one[0] not in numbers]

    def step(self) -> list[Any]:
        number, tokens, params = self._waiting.pop(0)
        cached = 0 if self._skips(params) else self._found(tokens)
        for end in range(self._block, len(tokens) + 1, self._block):
            self._cached.add(tokens[:end])
        after = logprobs_after(tokens)
        best = max(range(VOCABULARY), key=lambda token: after[token])
        told = Flat()
        ends = params.get("logprob_token_ids") or []
        told.add((best, after[best], 1), *((end, after[end], None) for end in ends))
        rows = self._rows(tokens, cached) if params.get("prompt_logprobs") is not None else None
        output = SimpleNamespace(token_ids=[best], logprobs=told)
        return [
            SimpleNamespace(
                request_id=number,
                finished=True,
                num_cached_tokens=cached,
                prompt_logprobs=rows,
                prompt_token_id_logprobs=self._chosen(tokens, params, cached),
                outputs=[output],
            )
        ]

    def _skips(self, params: dict[str, Any]) -> bool:
        """vLLM's rule: a request for prompt log-probabilities leaves the cache aside unless it says otherwise."""
        told = params.get("skip_reading_prefix_cache")
        asks = params.get("prompt_logprobs") is not None or params.get("prompt_logprob_token_ids") is not None
        skips = asks if told is None else told
        return skips and self._obeys

    def _chosen(self, tokens: tuple[int, ...], params: dict[str, Any], cached: int) -> list[list[float]] | None:
        """As `compute_prompt_token_id_logprobs` of the V2 runner: nothing at all where the first row came from the cache."""
        ids = params.get("prompt_logprob_token_ids")
        if ids is None or cached > params["prompt_logprob_start"]:
            return None
        first = params["prompt_logprob_start"] + 1
        assert len(ids) == len(tokens) - first
        return [[logprobs_after(tokens[: first + at])[token] for token in row] for at, row in enumerate(ids)]

    def _found(self, tokens: tuple[int, ...]) -> int:
        whole = range(self._block, len(tokens), self._block)  # at least one token is always computed
        return max((end for end in whole if tokens[:end] in self._cached), default=0)

    def _rows(self, tokens: tuple[int, ...], cached: int) -> Flat:
        flat = Flat()
        flat.add()
        for position in range(1, len(tokens)):
            if position <= cached:
                if not self._short:
                    flat.add((0, -1.0, 1), (0, -1.0, 1))
                continue
            after, token = logprobs_after(tokens[:position]), tokens[position]
            best = max(range(VOCABULARY), key=lambda one: after[one])
            flat.add((token, after[token], sum(x >= after[token] for x in after)), (best, after[best], 1))
        return flat
