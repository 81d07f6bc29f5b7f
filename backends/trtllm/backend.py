"""The `trtllm` backend: a worker in TensorRT-LLM's interpreter, asked in the contract's words."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

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
from backends.trtllm.generation import Settled, file_config
from backends.trtllm.interpreter import VARIABLE, find_interpreter, two_lines
from backends.trtllm.settings import device_groups, environment, refuse_unsupported, settled
from backends.workers.backend import WorkerBackend
from backends.workers.opening import open_worker
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import EngineMissing, UnsupportedRequest

ENGINE_FILE = "trtllm_engine.py"


def open_trtllm(checkpoint: Checkpoint, options: Options) -> TrtllmBackend:
    """Open the checkpoint in TensorRT-LLM; the entry point of this backend.

    One worker a GPU that is named, or a group of GPUs that the model is cut over. Raises EngineMissing where no interpreter
    with TensorRT-LLM is known, what `settled`, `refuse_unsupported` and `device_groups` raise, and what `open_worker` raises
    for an interpreter that does not start, a release of another interface, and a model that it does not load.
    """
    refuse_unsupported(checkpoint)
    groups = device_groups(options)
    told = [settled(checkpoint, options, group[0]) for group in groups]
    python = _python(options)
    scratch = tempfile.TemporaryDirectory(prefix="minizoo-config-") if options.random_weights else None
    source = checkpoint if scratch is None else _drawn(checkpoint, Path(scratch.name))
    workers: list[WorkerBackend] = []
    try:
        for group, own in zip(groups, told, strict=True):
            workers.append(
                open_worker(
                    "trtllm",
                    ENGINE_FILE,
                    source,
                    own,
                    python=python,
                    environment=environment(group),
                    tell=not workers,
                    tokenizer=None if scratch is None else NoTokenizer(own.engine["vocabulary"]),
                )
            )
        one = workers[0] if len(workers) == 1 else SeveralBackend(workers)
        return TrtllmBackend(one, checkpoint, scratch)
    except BaseException:
        for worker in workers:
            worker.close()
        if scratch is not None:
            scratch.cleanup()
        raise


class TrtllmBackend:
    """A model in a worker with TensorRT-LLM."""

    name = "trtllm"

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
        longest = worker.capabilities.max_length
        self._settled = None if scratch else Settled(file_config(checkpoint.folder), worker.tokenizer, longest)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield Σ log p of each continuation; ValueError for an empty part, a sequence that does not fit, an unknown token."""
        for request in requests:
            check_score(request, self.capabilities.max_length)
        return self._worker.score(requests)

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """Yield the new tokens of each prompt; what `Settled.request` raises for one that does not fit or is not followed."""
        settled = self._settled
        if settled is None:
            return self._worker.generate(requests)
        asked = [settled.request(request) for request in requests]
        return (settled.generation(requests[made.index], made) for made in self._worker.generate(asked))

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        """See `StreamingBackend`: the times are those at which the engine's stream gave a token to the worker's process."""
        if not isinstance(self._worker, StreamingBackend):
            raise UnsupportedRequest("Several workers of TensorRT-LLM do not stream.", "Name one device.")
        return self._worker.stream(feed, room, length, clock)

    def peak_memory(self, reset: bool = False) -> int | None:
        """None: the engine computes in a process of its own, which tells no count of its allocator."""
        return self._worker.peak_memory(reset) if isinstance(self._worker, StreamingBackend) else None

    def close(self) -> None:
        """End the worker, and with it give back all memory."""
        self._worker.close()
        if self._scratch is not None:
            self._scratch.cleanup()


def _python(options: Options) -> str:
    """The interpreter; in a container that `worker_command` names, its own `python3` where none is named."""
    if options.worker_command:
        return options.python or "python3"
    found = find_interpreter(options.python)
    if found is not None:
        return found.python
    first, second = two_lines()
    raise EngineMissing(
        f"No interpreter with TensorRT-LLM is known: neither --python nor {VARIABLE} names one, and minizoo's own place is "
        "empty.",
        f"Make it:\n  {first}\n  {second}\nor run upstream's container with --worker-command.",
    )


def _drawn(checkpoint: Checkpoint, scratch: Path) -> Checkpoint:
    """The checkpoint as a folder with a config.json alone: the engine draws weights for it."""
    (scratch / "config.json").write_text(json.dumps(dict(checkpoint.config)), "utf-8")
    return replace(checkpoint, folder=scratch)
