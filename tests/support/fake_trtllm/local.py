"""The backend over the engine file in this process: no socket, no GPU, the fake package, a small model's own numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from backends.contract import Step
from backends.tokenizer import HfTokenizer
from backends.trtllm.backend import TrtllmBackend
from backends.workers.backend import WorkerBackend
from backends.workers.coding import request_as_json
from backends.workers.faults import of_call
from backends.workers.launch import SERVED
from support.fake_trtllm.engine import package
from zoo.checkpoint.locate import Checkpoint


def numbers_of(folder: Path) -> Callable[[tuple[int, ...]], Any]:
    """Token ids → fp32 logits behind each, by transformers' plain forward pass; what was computed once is kept."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    kept: dict[tuple[int, ...], Any] = {}
    state: dict[str, Any] = {"tokens": (), "cache": None}

    def logits(tokens: tuple[int, ...]) -> Any:
        if tokens in kept:
            return kept[tokens]
        with torch.inference_mode():
            if len(tokens) > 1 and tokens[:-1] == state["tokens"] and tokens[:-1] in kept:
                out = model(torch.tensor([tokens[-1:]]), past_key_values=state["cache"], use_cache=True)
                rows = torch.cat([kept[tokens[:-1]], out.logits[0].float()])
            else:
                out = model(torch.tensor([tokens]), use_cache=True)
                rows = out.logits[0].float()
        state["tokens"], state["cache"] = tokens, out.past_key_values
        kept[tokens] = rows
        return rows

    return logits


@contextmanager
def installed(numbers: Any, family: str = "1.4", fault: Any = None) -> Generator[Any]:
    """The engine file's module with the fake package in place, and one GPU that torch says it sees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SERVED))
        for name, module in package(numbers, family, fault).items():
            patch.setitem(sys.modules, name, module)
        patch.setattr(torch.cuda, "init", lambda: None)
        patch.setattr(torch.cuda, "device_count", lambda: 1)
        import trtllm_engine  # pyright: ignore[reportMissingImports]

        yield trtllm_engine


def options_for(checkpoint: Checkpoint, **own: Any) -> dict[str, Any]:
    """What the parent tells the engine file; fp32, so that tolerances are tight."""
    rows = int(checkpoint.config["vocab_size"])
    engine = {"dtype": "float32", "max_seq_len": checkpoint.max_length, "vocabulary": rows, **own}
    return {"device": "cuda:0", "engine": engine}


class LocalWorker:
    """Stands for a worker's process: what the engine file raises becomes what the parent raises."""

    name = "trtllm"

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.described = engine.described

    def ask(self, op: str, **fields: Any) -> Iterator[dict[str, Any]]:
        if op == "check":
            self._translated(lambda: self.engine.check(fields["requests"]))
            return
        yield {"answer": {"bytes": self.engine.peak_memory(False)}}

    def answers(self, op: str, requests: Any) -> Iterator[dict[str, Any]]:
        answers = self._translated(lambda: getattr(self.engine, op)(list(requests)))
        try:
            while (answer := self._translated(lambda: next(answers, None))) is not None:
                yield answer
        finally:
            answers.close()

    def renew(self) -> None:
        """The same engine goes on: a fault is one of its layout."""

    def close(self) -> None:
        self.engine.close()

    @staticmethod
    def _translated(call: Callable[[], Any]) -> Any:
        from wire import Refused  # pyright: ignore[reportMissingImports]

        try:
            return call()
        except Refused as refused:
            raise of_call("trtllm", {"kind": refused.kind, "text": refused.text, **refused.more}) from None


class LocalBackend(WorkerBackend):
    """A `WorkerBackend` whose stream needs no messages."""

    def stream(self, feed: Any, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        def take(room: int, idle: bool) -> Any:
            given = feed.take(room, idle)
            return None if given is None else [request_as_json(one.index, one) for one in given]

        for step in self.worker.engine.stream(take, room, length):  # pyright: ignore[reportAttributeAccessIssue]
            yield Step(step["time"], tuple((int(i), int(token)) for i, token in step["tokens"]))


def opened(module: Any, checkpoint: Checkpoint, **own: Any) -> TrtllmBackend:
    """The whole backend over an engine of `installed`."""
    engine = module.Engine(str(checkpoint.folder), options_for(checkpoint, **own))
    worker: Any = LocalWorker(engine)
    return TrtllmBackend(LocalBackend(worker, HfTokenizer(checkpoint.folder)), checkpoint)
