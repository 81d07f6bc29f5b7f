"""Requests into a vLLM engine and their answers out, step by step. Runs in vLLM's interpreter."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Job:
    """One request of the engine: token ids, sampling parameters, and what it is for."""

    tokens: tuple[int, ...]
    params: Any
    purpose: Any = None


class Queue:
    """Holds the engine's requests in flight."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        cache = engine.vllm_config.cache_config
        self.block_size: int = cache.block_size
        self.blocks: int = max(1, cache.num_gpu_blocks - 1)  # one is vLLM's own, for padding
        scheduler = engine.engine_core.engine_core.scheduler
        self._groups = max(1, len(scheduler.kv_cache_config.kv_cache_groups))
        self.at_once: int = engine.vllm_config.scheduler_config.max_num_seqs
        self._numbers = itertools.count()
        self._flying: dict[str, Job] = {}

    def blocks_of(self, tokens: int) -> int:
        """Blocks of the cache of keys and values that a sequence of that many tokens takes at most.

        Layers of unlike windows are groups, each with blocks of its own.
        """
        return -(-tokens // self.block_size) * self._groups

    def send(self, job: Job) -> str:
        """Give the engine a request; returns its id."""
        number = str(next(self._numbers))
        self._flying[number] = job
        self.engine.add_request(number, {"prompt_token_ids": list(job.tokens)}, job.params)
        return number

    def step(self) -> Iterator[tuple[str, Job, Any]]:
        """One step of the engine: (id, request, output) of each that has something to tell."""
        for output in self.engine.step():
            job = self._flying.get(output.request_id)
            if job is None:
                continue
            if output.finished:
                del self._flying[output.request_id]
            yield output.request_id, job, output

    def stop(self, numbers: Iterable[str]) -> None:
        """Take requests out of the engine; those that have ended are passed over."""
        mine = [number for number in numbers if self._flying.pop(number, None) is not None]
        if mine:
            self.engine.abort_request(mine)

    def finished(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Any]]:
        """Every request with its last output, as each ends; whole sequences in flight never exceed the cache.

        So none is ever preempted: what the engine had computed of a preempted prompt's log-probabilities would be lost.
        """
        waiting = deque(jobs)
        held: dict[str, int] = {}
        try:
            while waiting or held:
                while waiting and len(held) < self.at_once:
                    need = self.blocks_of(len(waiting[0].tokens) + 1)
                    if held and sum(held.values()) + need > self.blocks:
                        break
                    held[self.send(waiting.popleft())] = need
                for number, job, output in self.step():
                    if output.finished:
                        del held[number]
                        yield job, output
        finally:
            self.stop(held)
