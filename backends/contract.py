"""What every backend offers: token ids in, numbers out. Text and prompts are the harness's business.

A third party adds a backend through the entry-point group `minizoo.backends`: a function
`open(checkpoint: Checkpoint, options: Options) -> Backend`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Tokens = tuple[int, ...]


class OutOfMemory(Exception):
    """The device cannot hold what a call needs; its message is the engine's own."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do, and how long a sequence it takes."""

    score: bool
    generate: bool
    stream: bool
    max_length: int
    """Positions the model can attend to. A scored sequence may be one token longer: its last token is only predicted."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes of a Ray cluster that share the work, a device each."""

    address: str
    """HOST:PORT of the cluster, or `auto`: the one of this machine."""
    count: int = 1
    accelerator: str | None = None
    """The GPU that each must have, by its name in gpus.yaml or Ray's; `cpu`; None: any GPU, or the CPU where there is none."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The machine that a backend computes on, where that is not this one: what a record says of it."""

    host: str
    gpu: str | None
    driver: str | None


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a model; "auto" is a GPU where there is one, and there the checkpoint's own dtype, else fp32."""

    device: str = "auto"
    dtype: str = "auto"
    token_budget: int = 0
    """Tokens in one row or padded batch; 0 leaves it to the backend."""
    eager: bool = False
    """Score and generate by the engine's plain form, without sharing prefixes: the reference that packing is compared with."""
    devices: tuple[str, ...] = ()
    """A worker each, or parts of one engine; none named: what `device` says. ("all",), as `minizoo eval` has it: every GPU."""
    workers: int = 0
    """Workers that share a CPU; 0 runs the model in this process."""
    python: str | None = None
    """The interpreter that an engine lives in; None leaves it to the backend to find one."""
    worker_command: tuple[str, ...] = ()
    """Words before the worker's own command: a container that it runs in."""
    endpoint: str | None = None
    """Where a model is served already."""
    nodes: Nodes | None = None
    """Other machines that share the work, instead of this one."""
    random_weights: bool = False
    """True dimensions with weights that the engine draws itself."""
    engine: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    """Settings of the engine by its own names; a backend raises UnsupportedRequest for one that it does not know."""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Ask for log p(continuation | context). Both are token ids; neither may be empty."""

    context: Tokens
    continuation: Tokens
    per_token: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """The answer to the request at position `index` of the call."""

    index: int
    logprob: float
    """Σ log p over the continuation, in nats; log-softmax in fp32."""
    greedy: bool
    """Whether every continuation token is the most probable one."""
    token_logprobs: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Ask for a continuation of `prompt`, greedy when `temperature` is 0."""

    prompt: Tokens
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    """Generation may end once one of these appears in the decoded new text; the text is not cut here."""
    temperature: float = 0.0
    top_p: float | None = None
    """None leaves it, like every setting that is not named, to the model's own generation_config.json."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further settings by the names of transformers' `generate` (`backends.generation_settings`). A backend raises ValueError
    or UnsupportedRequest for one that it does not follow."""
    seed: int = 0
    """Sampling depends on this seed alone, not on the neighbours in the batch."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The answer to the request at position `index` of the call: new token ids, without the prompt.

    The token that ends a text is left out, unless it has a text of its own.
    """

    index: int
    tokens: Tokens
    finish: Literal["stop", "length"]
    times: tuple[float, ...] | None = None
    """Seconds since the call at which each token was there, when streamed."""
    finite: bool = True
    """False where a token was chosen from logits without a finite maximum (NaN, +inf, or all -inf): it means nothing."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """Ask for exactly `new_tokens` greedy tokens after `prompt`, whatever end-of-text says: what speed is measured with."""

    index: int
    prompt: Tokens
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Step:
    """Tokens that were there at one moment: one forward pass, finished on the device."""

    time: float
    """By the clock that the caller gave, read after the device had finished."""
    tokens: tuple[tuple[int, int], ...]
    """(index of the request, token)."""


class Feed(Protocol):
    """Where a streaming backend gets its requests."""

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """At most `room` requests that have arrived; waits for one when `idle`; None once there will be no more."""
        ...


class Tokenizer(Protocol):
    """What the harness needs of a tokenizer."""

    bos_id: int | None
    eos_id: int | None
    vocab_size: int

    def encode(self, texts: Sequence[str], add_special_tokens: bool | None = None) -> list[list[int]]:
        """Token ids of each text; None leaves special tokens to the tokenizer's own rule."""
        ...

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of the token ids."""
        ...


@runtime_checkable
class Backend(Protocol):
    """A way to run a model."""

    name: str
    device: str
    """`cpu`, or `cuda` with its index."""
    dtype: str
    """`float32`, `bfloat16` …: what the weights are held in. A backend whose layers multiply in another has `compute_dtype` too
    (`compute_dtype_of`)."""
    versions: Mapping[str, str]
    """Versions of the engine that computes (torch, transformers …)."""
    capabilities: Capabilities
    tokenizer: Tokenizer

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield one score a request as each is done, in any order; `ValueError` for what does not fit."""
        ...

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """Yield one generation a request as each is done, in any order; `ValueError` for what does not fit."""
        ...

    def close(self) -> None:
        """Give back the device memory."""
        ...


def compute_dtype_of(backend: Backend) -> str | None:
    """What the layers' matrix products of a backend are computed in (its `compute_dtype`); None where it does not say."""
    said = getattr(backend, "compute_dtype", None)
    return said if isinstance(said, str) else None


def elsewhere_of(backend: Backend) -> Elsewhere | None:
    """The machine that a backend computes on (its `elsewhere`); None: this one."""
    said = getattr(backend, "elsewhere", None)
    return said if isinstance(said, Elsewhere) else None


def shares_prefixes(backend: Backend) -> bool:
    """Whether a backend computes what requests of a call have in common once (its `shares_prefixes`); False where it does not
    say."""
    return getattr(backend, "shares_prefixes", False) is True


@runtime_checkable
class StreamingBackend(Backend, Protocol):
    """A backend whose `capabilities.stream` is true: it tells when each token was there."""

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        """Run requests of at most `length` tokens, prompt included, `room` of them at a time, until the feed has no more.

        A step is yielded before the next begins. Raises OutOfMemory when the device cannot hold them, and then holds
        nothing itself.
        """
        ...

    def peak_memory(self, reset: bool = False) -> int | None:
        """Peak bytes of the engine's own allocator since the last reset; None where it keeps no count."""
        ...


@runtime_checkable
class DistributionBackend(Backend, Protocol):
    """A backend that tells the probability of every token, not of chosen ones alone: what two models are compared by
    (`minizoo compare --kl`). One without it is refused there by name, and does all else.
    """

    def distributions(self, sequences: Sequence[Sequence[int]], asked: Sequence[int]) -> Iterator[Any]:
        """Yield log p of every token of the vocabulary behind each of the last `asked[i]` tokens of `sequences[i]`.

        In this order, in blocks of as many positions as the backend likes to hold: torch tensors (on any device) or numpy
        arrays, float32, `[positions, vocabulary]`, each row by a log-softmax in fp32. Sequences come in ascending order, as
        tuples are ordered, so that what shares a beginning stands together; no position is asked twice. ValueError for what
        does not fit.
        """
        ...
