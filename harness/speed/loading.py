"""From a word for a model to that model in memory, ready to be measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backends.contract import Backend, StreamingBackend
from backends.memory import available_bytes, check_device
from backends.opening import check_backend, default_backend, open_backend
from harness.records.provenance import drawn_subject, subject_of
from harness.records.record import Subject
from harness.speed.clock import Clock
from harness.speed.probes.devices import open_probe
from harness.speed.request import LoadRequest
from harness.speed.system import SystemUnderTest
from zoo.arch.config_keys import ConfigView
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.parameters import count_parameters
from zoo.arch.runnable import held_in_dtype
from zoo.checkpoint.locate import Checkpoint, Progress, locate, outline
from zoo.checkpoint.model_ref import resolve
from zoo.errors import (
    DeviceMemory,
    DeviceMissing,
    NoStreaming,
    TokenOutsideVocabulary,
    WrongBackend,
    one_line,
)

DRAWING = ("hf", "vllm", "trtllm")
"""Backends that draw random weights: `hf` by `backends.random`, vLLM by itself."""


@dataclass(frozen=True)
class Loaded:
    """A model in memory and what it is. Leaving it as a context gives the memory back."""

    system: SystemUnderTest
    subject: Subject
    checkpoint: Checkpoint

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, *_: object) -> None:
        self.system.probe.close()
        self.system.backend.close()


def find_checkpoint(request: LoadRequest, progress: Progress | None = None) -> Checkpoint:
    """The checkpoint that the request means, for random weights one that is a configuration and nothing else.

    `progress` is told of weights that are fetched. Raises what `resolve`, `locate` and, before a weight is fetched,
    `check_device` raise, UnknownName for the backend, WrongBackend for one that draws no weights.
    """
    if request.backend is not None:
        check_backend(request.backend)
    if request.weights == "random" and request.backend not in (None, *DRAWING):
        raise WrongBackend(
            f"The {request.backend} backend draws no random weights.", f"Use `--backend {'` or `'.join(DRAWING)}`."
        )
    ref = resolve(request.model, request.name, request.parent)
    if request.weights == "real":
        begun = outline(ref)
        check_device(begun, request.backend or default_backend(begun), request.options)
        return locate(begun, progress)
    from backends.random.config import random_checkpoint

    return random_checkpoint(ref)


def load(request: LoadRequest, checkpoint: Checkpoint, clock: Clock | None = None) -> Loaded:
    """Load the checkpoint, timed, and find the probe of its device.

    Raises NoStreaming for a backend that cannot stream, TokenOutsideVocabulary for a vocabulary of nothing, DeviceMissing
    for a device that does not take the model, DeviceMemory where random weights would not fit, and what the backend raises.
    """
    clock = clock or Clock()
    started = clock.now()
    backend = _open(request, checkpoint)
    load_s = clock.now() - started
    if not isinstance(backend, StreamingBackend) or not backend.capabilities.stream:
        backend.close()
        raise NoStreaming(
            f"The {backend.name} backend does not tell when each token of {checkpoint.name} was there.",
            "Take one that streams: `--backend hf` or `--backend pruned`.",
        )
    dims = dims_of_checkpoint(checkpoint)
    system = SystemUnderTest(
        backend,
        open_probe(backend.device),
        dims,
        _vocabulary(backend, checkpoint, dims),
        request.weights,
        load_s,
        request.seed,
        clock,
        request.weights == "random" or held_in_dtype(checkpoint.config),
    )
    return Loaded(system, _subject(request, checkpoint), checkpoint)


def dims_of_checkpoint(checkpoint: Checkpoint) -> Dense | Hybrid | None:
    """The registry's dimensions, else config.json's; None where that is no architecture with a closed form."""
    if checkpoint.model is not None:
        return checkpoint.model.architecture
    return None if checkpoint.only_pruned else checkpoint.closed_form


def _vocabulary(backend: Backend, checkpoint: Checkpoint, dims: Dense | Hybrid | None) -> int:
    """How many token ids prompts are drawn from: those that tokenizer and embedding both have.

    TokenOutsideVocabulary where they are too few to make a prompt of, for some begin and end a text.
    """
    known = backend.tokenizer.vocab_size
    stated = dims.vocab_size if dims else ConfigView(checkpoint.config).value("vocab_size")
    rows = stated if isinstance(stated, int) else known
    shared = min(known, rows)
    ends = {backend.tokenizer.bos_id, backend.tokenizer.eos_id}
    if not set(range(min(shared, len(ends) + 1))) - ends:
        backend.close()
        raise TokenOutsideVocabulary(
            f"{checkpoint.name} has no token to make prompts of: its tokenizer has {known:,} ids, its embedding {rows:,} rows.",
            "Check vocab_size in config.json, and the tokenizer's files.",
        )
    return shared


def _open(request: LoadRequest, checkpoint: Checkpoint) -> Backend:
    try:
        if request.weights == "random" and request.backend in ("vllm", "trtllm"):
            return open_backend(checkpoint, request.backend, replace(request.options, random_weights=True))
        if request.weights == "random":
            return _random(request, checkpoint)
        return open_backend(checkpoint, request.backend, request.options)
    except RuntimeError as error:  # what torch raises for a device that is full, busy or gone
        cause = DeviceMemory if "out of memory" in str(error).lower() else DeviceMissing
        raise cause(
            f"{checkpoint.name} could not be loaded onto {request.options.device} ({one_line(error)}).",
            "Free the device or take another: `--device cpu`, `--device cuda:1`. `minizoo doctor` says what is here.",
        ) from error


def _random(request: LoadRequest, checkpoint: Checkpoint) -> Backend:
    """Random weights, unless they are more than the host's free memory: Linux would kill the process, not refuse."""
    from backends.hf.loading import compute_dtype, resolve_device
    from backends.random.backend import open_random

    dims, device = dims_of_checkpoint(checkpoint), resolve_device(request.options.device)
    if dims is not None and device == "cpu":
        needs = count_parameters(dims).total * compute_dtype(request.options.dtype, device).itemsize
        has = available_bytes()
        if has is not None and needs > has:
            raise DeviceMemory(
                f"The weights of {checkpoint.name} take {needs / 1e9:.1f} GB, and {has / 1e9:.1f} GB of memory are free.",
                "Take a smaller model, `--dtype bfloat16`, or a larger machine; `--dry-run` needs none.",
            )
    return open_random(checkpoint, request.options, request.seed)


def _subject(request: LoadRequest, checkpoint: Checkpoint) -> Subject:
    real = request.weights == "real"
    return subject_of(checkpoint) if real else drawn_subject(checkpoint.ref, request.seed)
