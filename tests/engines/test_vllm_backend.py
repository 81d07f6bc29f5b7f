"""A real vLLM on a CPU behind the contract: its scores, text and times against those of `hf`, and what it refuses."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tolerances import assert_logprobs, logprob_tolerance

from backends.contract import Backend, GenerateRequest, Options, ScoreRequest, StreamRequest
from backends.opening import open_backend
from backends.vllm.backend import VllmBackend, open_vllm
from zoo.checkpoint.locate import Checkpoint, locate, outline
from zoo.checkpoint.model_ref import resolve
from zoo.errors import UnsupportedRequest

SHOTS = "Anna has 3 figs. Tom has 4 figs. How many figs? Answer: 7 figs. The cat and the dog sat on the mat. " * 2


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return locate(outline(resolve("nano-teacher")))


@pytest.fixture(scope="module")
def hf(nano: Checkpoint) -> Iterator[Backend]:
    with closing(open_backend(nano, "hf", Options(device="cpu"))) as backend:
        yield backend


@pytest.fixture(scope="module")
def vllm(vllm_python: str, nano: Checkpoint) -> Iterator[VllmBackend]:
    with closing(open_vllm(nano, Options(device="cpu", python=vllm_python))) as backend:
        yield backend


def questions(backend: Backend) -> list[ScoreRequest]:
    """Multiple choice over shared text: endings that begin alike, one-token endings, and some asked twice."""
    draw = random.Random(5)
    (shots,) = backend.tokenizer.encode([SHOTS], add_special_tokens=False)
    made: list[ScoreRequest] = []
    for _ in range(10):
        context = (*shots, *(draw.randrange(2, 768) for _ in range(draw.randrange(1, 60))))
        alike = tuple(draw.randrange(2, 768) for _ in range(draw.choice((0, 2, 40))))
        for length in (1, 1, 5, 9):
            ending = tuple(draw.randrange(2, 768) for _ in range(length))
            made.append(ScoreRequest(context, alike + ending, per_token=True))
    return [*made, *made[:6]]


def longest(backend: Backend, more: int) -> list[ScoreRequest]:
    """One sequence of the whole context, the last token only predicted, and `more`, cut in three places."""
    draw = random.Random(6)
    tokens = tuple(draw.randrange(2, 768) for _ in range(backend.capabilities.max_length + 1 + more))
    return [ScoreRequest(tokens[:at], tokens[at:], per_token=True) for at in (1, 300, len(tokens) - 1)]


def scored(backend: Backend, requests: list[ScoreRequest]) -> list[Any]:
    return sorted(backend.score(requests), key=lambda score: score.index)


def test_scores_are_those_of_hf_token_by_token_and_no_greedy_flag_differs(hf: Backend, vllm: VllmBackend):
    requests = [*questions(hf), *longest(hf, 0)]
    ours, theirs = scored(hf, requests), scored(vllm, requests)
    assert [score.index for score in theirs] == list(range(len(requests)))
    for request, our, their in zip(requests, ours, theirs, strict=True):
        assert len(their.token_logprobs) == len(request.continuation)
        gaps = np.abs(np.subtract(their.token_logprobs, our.token_logprobs))
        assert gaps.max() < 5e-4  # field-2026-11.md §3a: up to 2.5e-4 a token over text that the model does not know
        assert abs(their.logprob - our.logprob) < 5 * logprob_tolerance(len(request.continuation))
        assert their.greedy == our.greedy


def test_the_same_call_twice_gives_the_same_numbers(vllm: VllmBackend):
    requests = questions(vllm)
    assert scored(vllm, requests) == scored(vllm, requests)


def test_order_and_company_of_requests_change_nothing(vllm: VllmBackend):
    requests = questions(vllm)
    whole = scored(vllm, requests)
    turned = scored(vllm, requests[::-1])[::-1]
    alone = [scored(vllm, [request])[0] for request in requests[:8]]
    lengths = [len(request.continuation) for request in requests]
    assert_logprobs([s.logprob for s in turned], [s.logprob for s in whole], lengths)
    assert_logprobs([s.logprob for s in alone], [s.logprob for s in whole[:8]], lengths[:8])


def test_what_is_one_token_too_long_is_refused_and_never_truncated(vllm: VllmBackend):
    for request in longest(vllm, 1):
        with pytest.raises(ValueError, match="does not fit"):
            list(vllm.score([request]))


def test_a_token_outside_the_vocabulary_is_refused_and_the_engine_lives_on(vllm: VllmBackend):
    for token in (768, 10**6, -1):
        with pytest.raises(ValueError, match="768"):
            list(vllm.score([ScoreRequest((1, 2), (token,))]))
        with pytest.raises(ValueError, match="768"):
            list(vllm.generate([GenerateRequest((1, token), 3)]))
    assert len(scored(vllm, [ScoreRequest((1, 2), (767,))])) == 1


def test_greedy_text_is_that_of_hf_with_stops_and_ends_as_the_contract_has_them(hf: Backend, vllm: VllmBackend):
    prompts = hf.tokenizer.encode(["Anna has 3 figs. Tom has 4", "The cat", "Q: 2 + 3 = ?\nA:", "def f(x):\n"], False)
    requests = [GenerateRequest(tuple(prompt), 40, stop) for prompt in prompts for stop in ((), ("\n",), ("s", "."))]
    ours = sorted(hf.generate(requests), key=lambda made: made.index)
    theirs = sorted(vllm.generate(requests), key=lambda made: made.index)
    assert [(made.tokens, made.finish) for made in theirs] == [(made.tokens, made.finish) for made in ours]


def test_what_is_drawn_depends_on_the_seed_alone(vllm: VllmBackend):
    requests = [GenerateRequest((5, 6, 7), 16, temperature=1.0, seed=seed) for seed in (1, 1, 2, 3)]
    together = sorted(vllm.generate(requests), key=lambda made: made.index)
    alone = [next(iter(vllm.generate([request]))) for request in requests]
    assert [made.tokens for made in together] == [made.tokens for made in alone]
    assert together[0].tokens == together[1].tokens
    assert len({made.tokens for made in together}) == 3


def test_a_setting_that_vllm_does_not_follow_is_refused_by_name(vllm: VllmBackend):
    with pytest.raises(UnsupportedRequest, match="no_repeat_ngram_size: 2"):
        list(vllm.generate([GenerateRequest((5, 6), 4, settings={"no_repeat_ngram_size": 2})]))


class Arrivals:
    """Requests of which two arrive at a time."""

    def __init__(self, requests: list[StreamRequest]) -> None:
        self.left = requests

    def take(self, room: int, idle: bool) -> list[StreamRequest] | None:
        if not self.left:
            return None
        count = min(room, 2)
        come, self.left = self.left[:count], self.left[count:]
        return come


def test_a_stream_gives_hfs_tokens_one_by_one_at_times_that_go_on(hf: Backend, vllm: VllmBackend):
    requests = [StreamRequest(index, tuple(range(5, 15 + index)), 6 + index % 3) for index in range(6)]
    before = time.perf_counter()
    steps = list(vllm.stream(Arrivals(list(requests)), 4, 32, time.perf_counter))
    after = time.perf_counter()
    expected: dict[int, list[int]] = {}
    for step in hf.stream(Arrivals(list(requests)), 4, 32, time.perf_counter):  # pyright: ignore[reportAttributeAccessIssue]
        for index, token in step.tokens:
            expected.setdefault(index, []).append(token)
    told: dict[int, list[int]] = {}
    for step in steps:
        assert len({index for index, _ in step.tokens}) == len(step.tokens)
        for index, token in step.tokens:
            told.setdefault(index, []).append(token)
    assert told == expected
    times = [step.time for step in steps]
    assert before < times[0]
    assert times[-1] < after
    assert times == sorted(times)


def test_a_killed_worker_loses_nothing(vllm: VllmBackend):
    requests = questions(vllm)
    whole = scored(vllm, requests)
    given: list[Any] = []
    for score in vllm.score(requests):
        given.append(score)
        if len(given) == 5:
            os.kill(_pid(vllm), signal.SIGKILL)
    assert sorted(score.index for score in given) == list(range(len(requests)))
    lengths = [len(request.continuation) for request in requests]
    given.sort(key=lambda score: score.index)
    assert_logprobs([s.logprob for s in given], [s.logprob for s in whole], lengths)


def test_two_workers_share_a_call_and_change_nothing(vllm_python: str, nano: Checkpoint, vllm: VllmBackend):
    requests = questions(vllm)
    whole = scored(vllm, requests)
    with closing(open_vllm(nano, Options(devices=("cpu", "cpu"), python=vllm_python))) as both:
        assert both.devices == ("cpu", "cpu")
        assert not both.capabilities.stream
        shared = scored(both, requests)
    lengths = [len(request.continuation) for request in requests]
    assert_logprobs([s.logprob for s in shared], [s.logprob for s in whole], lengths)
    assert [s.greedy for s in shared] == [s.greedy for s in whole]


def test_closing_ends_the_process(vllm_python: str, nano: Checkpoint):
    backend = open_vllm(nano, Options(device="cpu", python=vllm_python, eager=True))
    pid = _pid(backend)
    assert not backend.shares_prefixes
    assert Path(f"/proc/{pid}").exists()
    backend.close()
    assert not Path(f"/proc/{pid}").exists()


def _pid(backend: VllmBackend) -> int:
    pid: int | None = backend._worker.worker.pid  # pyright: ignore[reportAttributeAccessIssue]
    assert pid is not None
    return pid
