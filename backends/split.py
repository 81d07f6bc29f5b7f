"""Two backends as one, `score=pruned,generate=vllm`: one gives the scores, the other the text, over one checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import ConflictingOptions, InvalidOption, UnsupportedRequest

DUTIES = ("score", "generate")
WITHOUT_SETTINGS = ("hf", "pruned")
"""Backends that run in this process: an interpreter and settings of an engine are the other one's."""

OpenOne = Callable[[Checkpoint, str, Options], Backend]


@dataclass(frozen=True)
class Split:
    """The names of the two."""

    score: str
    generate: str

    @property
    def name(self) -> str:
        """The pair as it is said on the command line and in records."""
        return f"score={self.score},generate={self.generate}"


def split_of(name: str) -> Split | None:
    """The pair that a backend's name means; None where it names one. InvalidOption where it is neither."""
    if "=" not in name:
        return None
    parts = [part.partition("=") for part in name.split(",")]
    named = {duty.strip(): backend.strip() for duty, _, backend in parts}
    if len(parts) != len(DUTIES) or set(named) != set(DUTIES) or not all(named.values()):
        raise InvalidOption(
            f"'{name[:80]}' names no two backends.", "Write it as `score=pruned,generate=vllm`, each duty once."
        )
    return Split(named["score"], named["generate"])


def open_split(checkpoint: Checkpoint, split: Split, options: Options, open_one: OpenOne) -> Backend:
    """Open both, the one that scores first; `open_one` opens a backend by its name. One of them twice is that one.

    ConflictingOptions where they hold the model on unlike devices or in unlike dtypes: a record has one of each. Raises what
    opening either raises, with nothing left open.
    """
    if split.score == split.generate:
        return open_one(checkpoint, split.score, options)
    scorer = open_one(checkpoint, split.score, _own(split.score, options))
    try:
        generator = open_one(checkpoint, split.generate, _own(split.generate, options))
    except BaseException:
        scorer.close()
        raise
    unlike = [
        f"{name} {ours} and {theirs}"
        for name, ours, theirs in (
            ("device", scorer.device, generator.device),
            ("dtype", scorer.dtype, generator.dtype),
        )
        if ours != theirs
    ]
    if unlike:
        scorer.close()
        generator.close()
        raise ConflictingOptions(
            f"{split.score} and {split.generate} hold the model unlike each other: {', '.join(unlike)}.",
            "Name one for both: `--device`, `--dtype`.",
        )
    return SplitBackend(split, scorer, generator)


class SplitBackend:
    """A `StreamingBackend` whose scores are one backend's and whose text is another's."""

    def __init__(self, split: Split, scorer: Backend, generator: Backend) -> None:
        self._scorer, self._generator = scorer, generator
        self.name = split.name
        self.device, self.dtype = scorer.device, scorer.dtype
        ours, theirs = compute_dtype_of(scorer), compute_dtype_of(generator)
        self.compute_dtype = ours if ours == theirs else None
        self.shares_prefixes = shares_prefixes(scorer)
        self.versions: Mapping[str, str] = _versions(scorer.versions, generator.versions)
        self.tokenizer: Tokenizer = scorer.tokenizer
        one, other = scorer.capabilities, generator.capabilities
        streams = other.stream and isinstance(generator, StreamingBackend)
        self.capabilities = Capabilities(one.score, other.generate, streams, min(one.max_length, other.max_length))

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """The scorer's own."""
        return self._scorer.score(requests)

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """The generator's own."""
        return self._generator.generate(requests)

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        """The generator's own."""
        if not isinstance(self._generator, StreamingBackend):
            raise UnsupportedRequest(f"The {self._generator.name} backend does not stream.", "Take another.")
        return self._generator.stream(feed, room, length, clock)

    def peak_memory(self, reset: bool = False) -> int | None:
        """The generator's own: what is streamed is its work."""
        return self._generator.peak_memory(reset) if isinstance(self._generator, StreamingBackend) else None

    def close(self) -> None:
        """Close both, the second whatever becomes of the first."""
        try:
            self._scorer.close()
        finally:
            self._generator.close()


def _own(name: str, options: Options) -> Options:
    """The options of one of the two."""
    if name not in WITHOUT_SETTINGS:
        return options
    return replace(options, python=None, worker_command=(), endpoint=None, engine={})


def _versions(scorer: Mapping[str, str], generator: Mapping[str, str]) -> dict[str, str]:
    """Versions of both under their names; where they differ, who has which."""
    merged: dict[str, str] = {}
    for name in {**scorer, **generator}:
        ours, theirs = scorer.get(name), generator.get(name)
        if ours is not None and theirs is not None and ours != theirs:
            merged[name] = f"{ours} for scores, {theirs} for text"
        else:
            merged[name] = ours if ours is not None else str(theirs)
    return merged
