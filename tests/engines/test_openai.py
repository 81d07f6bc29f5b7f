"""The openai backend against vLLM's own server, really run on a CPU over loopback: scores and texts are hf's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.paths import ROOT
from support.vllm_serve import vllm_serve

from backends.contract import GenerateRequest, Options, ScoreRequest, StreamRequest
from backends.openai.backend import ServedBackend
from backends.opening import open_backend
from zoo.checkpoint.locate import locate

DRAWN = "nano_code"
"""The task whose answers are drawn, by each engine's own random numbers."""
TOLERANCE = 2.5e-4
"""Nats a token between vLLM's CPU engine and transformers, both fp32, over text that nano does not know."""


@pytest.fixture(scope="module")
def url(vllm_python: str) -> Iterator[str]:
    """A running `vllm serve` of nano-teacher."""
    with vllm_serve(vllm_python, ROOT / "zoo/nano/weights/nano-teacher", "nano-teacher", 514) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def served(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedBackend]:
    for name in ("OPENAI_API_KEY", "MINIZOO_ENDPOINT_KEY"):
        monkeypatch.delenv(name, raising=False)
    backend = ServedBackend(locate("nano-teacher"), Options(endpoint=url))
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def hf() -> Iterator[Any]:
    backend = open_backend(locate("nano-teacher"), "hf", Options(device="cpu"))
    yield backend
    backend.close()


def test_what_vllm_is_is_found_out(served: ServedBackend):
    assert served.capabilities.score
    assert served.capabilities.stream
    assert served.capabilities.max_length == 512
    assert served.versions["scoring"] == "prompt_logprobs of the server"
    assert served.versions["vllm"][0].isdigit()


def test_scores_are_hfs(served: ServedBackend, hf: Any):
    ids = hf.tokenizer.encode(
        ["the dog ran to the old house and the cat sat on a mat. " * 3], add_special_tokens=False
    )[0]
    requests = [ScoreRequest(tuple(ids[:20]), tuple(ids[at : at + 6]), per_token=True) for at in range(20, 50, 5)]
    requests.append(ScoreRequest((0,), tuple((ids * 30)[:512])))
    ours, theirs = (sorted(b.score(requests), key=lambda each: each.index) for b in (served, hf))
    for one, other, request in zip(ours, theirs, requests, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=TOLERANCE * len(request.continuation))
        assert one.greedy == other.greedy
    again = sorted(served.score(requests), key=lambda each: each.index)
    assert [each.logprob for each in again] == pytest.approx([each.logprob for each in ours], abs=1e-3)


def test_texts_and_streams_are_hfs(served: ServedBackend, hf: Any):
    prompts = hf.tokenizer.encode(["the dog ran", "3 + 4 =", "a small cat"], add_special_tokens=False)
    requests = [GenerateRequest(tuple(prompt), 24, stop=("\n\n",)) for prompt in prompts]
    ours, theirs = (sorted(b.generate(requests), key=lambda each: each.index) for b in (served, hf))
    assert [(each.tokens, each.finish) for each in ours] == [(each.tokens, each.finish) for each in theirs]

    streams: list[dict[int, list[int]]] = []
    for backend in (served, hf):
        came: dict[int, list[int]] = {}
        for step in backend.stream(_Feed(prompts), 4, 64, time.monotonic):
            for index, token in step.tokens:
                came.setdefault(index, []).append(token)
        streams.append(came)
    assert streams[0] == streams[1]


class _Feed:
    """All requests at once."""

    def __init__(self, prompts: list[list[int]]) -> None:
        self.left = [StreamRequest(at, tuple(prompt), 12) for at, prompt in enumerate(prompts)]

    def take(self, room: int, idle: bool) -> Any:
        given, self.left = self.left, []
        return given or (None if idle else ())


def test_an_evaluation_is_hfs(url: str, minizoo: Any, tmp_path: Any):
    values = []
    for words in (("--backend", "openai", "--endpoint", url), ("--device", "cpu")):
        ran = minizoo("eval", "nano-teacher", "--suite", "nano", "--limit", 16, *words, "--results", tmp_path, "--json")
        assert ran.code == 0, ran.err
        values.append({
            (record["task"], score["metric"], score["filter"]): pytest.approx(score["value"], rel=1e-4)
            for record in ran.json()["records"] if record["task"] != DRAWN
            for score in record["scores"]
        })  # fmt: skip
    assert values[0] == values[1]
