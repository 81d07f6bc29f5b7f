"""A model in workers of an engine that decodes by settings of its own."""

from __future__ import annotations

import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from backends.contract import (
    Backend,
    Capabilities,
    Feed,
    GenerateRequest,
    Generation,
    Options,
    Score,
    ScoreRequest,
    Step,
    StreamingBackend,
    Tokenizer,
    compute_dtype_of,
    shares_prefixes,
)
from backends.packing.score import check_score
from backends.random.backend import NoTokenizer
from backends.several.backend import SeveralBackend
from backends.workers.backend import WorkerBackend
from backends.workers.opening import open_worker
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import UnsupportedRequest


class Decoding(Protocol):
    """How one model's requests for text are put in the engine's words, and its answers in the contract's."""

    def request(self, request: GenerateRequest) -> GenerateRequest:
        """The request as the engine is asked; raises what the contract says for one that is not followed or does not fit."""
        ...

    def generation(self, request: GenerateRequest, made: Generation) -> Generation:
        """The engine's answer as the contract has it."""
        ...


class DrivenBackend(ABC):
    """A model in one worker, or several, of an engine."""

    name: str
    engine: str
    """What the engine is called in a sentence."""

    def __init__(
        self, worker: Backend, checkpoint: Checkpoint, scratch: tempfile.TemporaryDirectory[str] | None = None
    ) -> None:
        """`scratch` holds the configuration of a model whose weights the engine draws: a fresh worker would read it again."""
        self._worker, self._scratch = worker, scratch
        self.device, self.dtype = worker.device, worker.dtype
        self.devices: tuple[str, ...] = getattr(worker, "devices", ())
        """Of each worker, where there are several."""
        self.compute_dtype = compute_dtype_of(worker)
        self.shares_prefixes = shares_prefixes(worker)
        self.versions: Mapping[str, str] = worker.versions
        self.capabilities: Capabilities = worker.capabilities
        self.tokenizer: Tokenizer = worker.tokenizer
        self._settled = None if scratch else self.decoding(checkpoint)

    @abstractmethod
    def decoding(self, checkpoint: Checkpoint) -> Decoding:
        """How the checkpoint's requests for text are decoded by this engine."""

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield Σ log p of each continuation; ValueError for an empty part, a sequence that does not fit, an unknown token."""
        for request in requests:
            check_score(request, self.capabilities.max_length)
        return self._worker.score(requests)

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """Yield the new tokens of each prompt; what `Decoding.request` raises for one that does not fit or is not followed."""
        settled = self._settled
        if settled is None:
            return self._worker.generate(requests)
        asked = [settled.request(request) for request in requests]
        return (settled.generation(requests[made.index], made) for made in self._worker.generate(asked))

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        """See `StreamingBackend`: the times are those at which the engine gave a token, in the worker's process."""
        if not isinstance(self._worker, StreamingBackend):
            raise UnsupportedRequest(f"Several workers of {self.engine} do not stream.", "Name one device.")
        return self._worker.stream(feed, room, length, clock)

    def peak_memory(self, reset: bool = False) -> int | None:
        """Peak bytes of torch's CUDA allocator in the worker; None where the engine tells no count of one process."""
        return self._worker.peak_memory(reset) if isinstance(self._worker, StreamingBackend) else None

    def close(self) -> None:
        """End the worker, and with it give back all memory."""
        self._worker.close()
        if self._scratch is not None:
            self._scratch.cleanup()


B = TypeVar("B", bound=DrivenBackend)


def open_driven(
    kind: type[B],
    engine_file: str,
    checkpoint: Checkpoint,
    python: str,
    seats: Sequence[tuple[Options, Mapping[str, str]]],
    random_weights: bool,
) -> B:
    """A worker a seat (what it is told, its environment) in that interpreter; raises what `open_worker` raises.

    With `random_weights` the engine sees a configuration alone, and no tokenizer is asked for.
    """
    scratch = tempfile.TemporaryDirectory(prefix="minizoo-config-") if random_weights else None
    source = checkpoint if scratch is None else _drawn(checkpoint, Path(scratch.name))
    workers: list[WorkerBackend] = []
    try:
        for told, environment in seats:
            workers.append(
                open_worker(
                    kind.name,
                    engine_file,
                    source,
                    told,
                    python=python,
                    environment=environment,
                    tell=not workers,
                    tokenizer=None if scratch is None else NoTokenizer(told.engine["vocabulary"]),
                )
            )
        one = workers[0] if len(workers) == 1 else SeveralBackend(workers)
        return kind(one, checkpoint, scratch)
    except BaseException:
        for worker in workers:
            worker.close()
        if scratch is not None:
            scratch.cleanup()
        raise


def _drawn(checkpoint: Checkpoint, scratch: Path) -> Checkpoint:
    """The checkpoint as a folder with a config.json alone: the engine draws weights for it."""
    (scratch / "config.json").write_text(json.dumps(dict(checkpoint.config)), "utf-8")
    return replace(checkpoint, folder=scratch)
