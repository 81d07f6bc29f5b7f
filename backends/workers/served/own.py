"""Any backend of minizoo in a worker: what several devices of a machine are used by. Its interpreter has minizoo."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import wire

GROUP = "minizoo.backends"
DRIVER = re.compile(r"(\d+\.\d+(?:\.\d+)?)\s")


class Engine:
    """The backend of `options["name"]` over the checkpoint in `folder`, opened with `options`."""

    def __init__(self, folder: str, options: dict[str, Any]) -> None:
        self._backend = told_as_refused(lambda: opened(Path(folder), options))
        self._vocabulary = options["vocabulary"] or 0
        first_requests(self._backend, folder)

    @property
    def described(self) -> dict[str, Any]:
        """What the backend says of itself."""
        backend = self._backend
        able = backend.capabilities
        return {
            "device": backend.device,
            "dtype": backend.dtype,
            "compute_dtype": getattr(backend, "compute_dtype", None),
            "versions": dict(backend.versions),
            "max_length": able.max_length,
            "score": able.score,
            "generate": able.generate,
            "stream": able.stream,
            "shares_prefixes": getattr(backend, "shares_prefixes", False) is True,
            "vocabulary": self._vocabulary,
            "notes": [],
            **hardware_of(backend.device),
        }

    def check(self, requests: list[dict[str, Any]]) -> None:
        """Show the backend generate requests without running them: it refuses at the call."""
        told_as_refused(lambda: self._backend.generate(texts_of(requests)))

    def score(self, requests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Scores as they come."""
        from backends.contract import ScoreRequest

        asked = [ScoreRequest(tuple(r["context"]), tuple(r["continuation"]), r["per_token"]) for r in requests]
        for one in guarded(lambda: self._backend.score(asked)):
            told = None if one.token_logprobs is None else [wire.as_json(number) for number in one.token_logprobs]
            logprob = wire.as_json(one.logprob)
            answer = {"logprob": logprob, "greedy": bool(one.greedy), "token_logprobs": told}
            finite = {} if logprob is not None else {"finite": False}
            yield {"index": requests[one.index]["index"], **answer, **finite}

    def generate(self, requests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Generations as they come."""
        for one in guarded(lambda: self._backend.generate(texts_of(requests))):
            yield {
                "index": requests[one.index]["index"],
                "tokens": list(one.tokens),
                "finish": one.finish,
                "times": None if one.times is None else list(one.times),
                "finite": bool(getattr(one, "finite", True)),
            }

    def stream(self, take: Any, room: int, length: int) -> Iterator[dict[str, Any]]:
        """Steps as they are done."""
        for step in guarded(lambda: self._backend.stream(Taken(take), room, length, time.monotonic)):
            yield {"time": step.time, "tokens": [list(pair) for pair in step.tokens]}

    def peak_memory(self, reset: bool) -> int | None:
        """What the backend counts."""
        count = getattr(self._backend, "peak_memory", None)
        return None if count is None else count(reset)

    def close(self) -> None:
        """Close the backend."""
        self._backend.close()


def hardware_of(device: str) -> dict[str, str | None]:
    """The GPU that the device is and its driver's version, as records have them; the one who asks may be another machine."""
    if not device.startswith("cuda"):
        return {"gpu": None, "driver": None}
    import torch

    try:
        found = DRIVER.search(Path("/proc/driver/nvidia/version").read_text("utf-8"))
    except OSError:
        found = None
    return {"gpu": torch.cuda.get_device_name(device), "driver": found[1] if found else None}


class Taken:
    """The feed of a stream, on this side."""

    def __init__(self, take: Any) -> None:
        self._take = take

    def take(self, room: int, idle: bool) -> list[Any] | None:
        """What the parent's feed gave."""
        from backends.contract import StreamRequest

        given = self._take(room, idle)
        if given is None:
            return None
        return [StreamRequest(one["index"], tuple(one["prompt"]), one["new_tokens"]) for one in given]


def opened(folder: Path, options: dict[str, Any]) -> Any:
    """The backend by its entry point, as in the parent, over the same checkpoint."""
    from importlib.metadata import entry_points

    from backends.contract import Options
    from zoo.checkpoint.locate import open_folder
    from zoo.checkpoint.model_ref import ModelRef
    from zoo.registry.loader import load_registry

    (point,) = entry_points(group=GROUP, name=options["name"])
    told = options["model"]
    entry = load_registry().find(told["id"]) if told["kind"] == "registry" else None
    ref = ModelRef(told["kind"], told["id"], entry, folder, told["name"], told["parent"])
    known = {field.name for field in dataclasses.fields(Options)}
    said = {name: value for name, value in options.items() if name in known and name != "devices"}
    return point.load()(open_folder(folder, ref, told["revision"]), Options(**said))


def first_requests(backend: Any, folder: str) -> None:
    """One request of each kind that the backend takes: a model that loads may die of the first."""
    from backends.contract import GenerateRequest, ScoreRequest

    token = backend.tokenizer.bos_id or backend.tokenizer.eos_id or 0
    if backend.capabilities.score:
        list(guarded(lambda: backend.score([ScoreRequest((token,), (token,))])))
    if backend.capabilities.generate and backend.capabilities.max_length > 2:
        list(guarded(lambda: backend.generate([GenerateRequest((token,), 1)])))


def texts_of(requests: Sequence[dict[str, Any]]) -> list[Any]:
    """The contract's generate requests."""
    from backends.contract import GenerateRequest

    return [
        GenerateRequest(
            tuple(r["prompt"]),
            r["max_new_tokens"],
            tuple(r["stop"]),
            r["temperature"],
            r["top_p"],
            r["settings"],
            r["seed"],
        )
        for r in requests
    ]


def guarded(call: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """What the call yields, its errors as the protocol has them."""
    values = told_as_refused(call)
    while True:
        try:
            value = told_as_refused(lambda: next(values))
        except StopIteration:
            return
        yield value


def told_as_refused(call: Callable[[], Any]) -> Any:
    """The call's value; minizoo's own errors, requests that do not fit and full memory as `wire.Refused`."""
    from backends.contract import OutOfMemory
    from zoo.errors import MinizooError

    try:
        return call()
    except MinizooError as error:
        raise wire.Refused("told", error.what, code=error.code, hint=error.hint) from error
    except OutOfMemory as error:
        raise wire.Refused("memory", str(error)) from error
    except ValueError as error:
        raise wire.Refused("input", str(error)) from error
