"""From the words of a speed run to a model in memory, ready to be measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from backends.contract import Backend, Options, StreamingBackend
from backends.opening import check_backend, open_backend
from harness.records.provenance import subject_of
from harness.records.record import Subject
from harness.speed.clock import Clock
from harness.speed.measure import Bench
from harness.speed.probes.os_probe import available_bytes
from harness.speed.probes.telemetry import open_probe
from harness.speed.workloads.workload import Workload
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.hf_config import dims_of
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import Checkpoint, locate
from zoo.checkpoint.model_ref import resolve
from zoo.errors import EnvironmentIssue, InputError, one_line


@dataclass(frozen=True)
class BenchRequest:
    """The words of `minizoo bench`."""

    model: str
    workload: Workload
    backend: str = "hf"
    options: Options = field(default_factory=Options)
    weights: Literal["real", "random"] = "real"
    seed: int = 0


@dataclass(frozen=True)
class Loaded:
    """A model in memory and what it is. Leaving it as a context gives the memory back."""

    bench: Bench
    subject: Subject
    checkpoint: Checkpoint

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, *_: object) -> None:
        self.bench.probe.close()
        self.bench.backend.close()


def find_checkpoint(request: BenchRequest) -> Checkpoint:
    """The checkpoint that the request means, for random weights one that is a configuration and nothing else; InputError for
    a model or a backend that there is not."""
    check_backend(request.backend)
    if request.weights == "real":
        return locate(request.model)
    if request.backend != "hf":
        raise InputError(f"The {request.backend} backend draws no random weights.", "Use `--backend hf`.")
    from backends.random.weights import random_checkpoint

    return random_checkpoint(resolve(request.model))


def opened(request: BenchRequest, checkpoint: Checkpoint, clock: Clock | None = None) -> Loaded:
    """Load the checkpoint, timed, and find the probe of its device.

    InputError for a backend that cannot stream, EnvironmentIssue for a device that does not take the model.
    """
    clock = clock or Clock()
    started = clock.now()
    backend = _load(request, checkpoint)
    load_s = clock.now() - started
    if not isinstance(backend, StreamingBackend) or not backend.capabilities.stream:
        backend.close()
        raise InputError(
            f"The {backend.name} backend does not tell when each token of {checkpoint.name} was there.",
            "Take one that streams: `--backend hf` or `--backend pruned`.",
        )
    dims = dims_of_checkpoint(checkpoint)
    vocabulary = min(backend.tokenizer.vocab_size, dims.vocab_size if dims else backend.tokenizer.vocab_size)
    bench = Bench(
        backend, open_probe(backend.device), dims, vocabulary, request.weights, load_s, request.seed, clock
    )  # fmt: skip
    return Loaded(bench, _subject(request, checkpoint), checkpoint)


def dims_of_checkpoint(checkpoint: Checkpoint) -> Dense | Hybrid | None:
    """The registry's dimensions, else config.json's; None where that is no architecture with a closed form."""
    if checkpoint.model is not None:
        return checkpoint.model.architecture
    try:
        return None if checkpoint.only_pruned else dims_of(checkpoint.config, checkpoint.folder)
    except InputError:
        return None


def _load(request: BenchRequest, checkpoint: Checkpoint) -> Backend:
    try:
        if request.weights == "random":
            return _random(request, checkpoint)
        return open_backend(checkpoint, request.backend, request.options)
    except RuntimeError as error:  # what torch raises for a device that is full, busy or gone
        raise EnvironmentIssue(
            f"{checkpoint.name} could not be loaded onto {request.options.device} ({one_line(error)}).",
            "Free the device or take another: `--device cpu`, `--device cuda:1`. `minizoo doctor` says what is here.",
        ) from error


def _random(request: BenchRequest, checkpoint: Checkpoint) -> Backend:
    """Random weights, unless they are more than the host's free memory: Linux would kill the process, not refuse."""
    from backends.hf.backend import compute_dtype, resolve_device
    from backends.random.weights import open_random

    dims, device = dims_of_checkpoint(checkpoint), resolve_device(request.options.device)
    if dims is not None and device == "cpu":
        needs = count_parameters(dims).total * compute_dtype(request.options.dtype, device).itemsize
        has = available_bytes()
        if has is not None and needs > has:
            raise EnvironmentIssue(
                f"The weights of {checkpoint.name} take {needs / 1e9:.1f} GB, and {has / 1e9:.1f} GB of memory are free.",
                "Take a smaller model, `--dtype bfloat16`, or a larger machine; `--dry-run` needs none.",
            )
    return open_random(checkpoint, request.options, request.seed)


def _subject(request: BenchRequest, checkpoint: Checkpoint) -> Subject:
    if request.weights == "real":
        return subject_of(checkpoint)
    return Subject(
        id=checkpoint.name,
        source="random",
        revision=None,
        weights_digest=f"random, seed {request.seed}",
        tokenizer_digest="",
        entry=checkpoint.model.model_dump(mode="json") if checkpoint.model else None,
    )
