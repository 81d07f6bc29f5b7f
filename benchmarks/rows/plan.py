"""Which steps there are, in which order, and what each needs: arithmetic alone, nothing runs.

A step is one command, for what breaks it must cost no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.rows.family import Family
from harness.speed.workloads.workload import LARGEST_BATCH, Workload, load_workload
from zoo.arch.parameters import Dtype
from zoo.arch.roofline import memory_bytes
from zoo.errors import InvalidOption
from zoo.registry.loader import Model

SCORING = "scoring"
ORDER = ("batch1", SCORING, "chat", "offline")
"""Workloads as they are run where none are named, the most telling first: every pair as a single user sees it, the scoring of
one model with its conformance, pairs at the batches of a server, each model's throughput; then the scoring of the others."""
SCORED_CONTEXT = 4096
"""Tokens of a prompt that scoring keeps room for."""
LONGEST_IF_UNKNOWN = 32_768
"""As `backends.random` takes where no source states a context."""


def gigabytes(size: int) -> str:
    """Bytes for people; small models in MB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


@dataclass(frozen=True)
class Step:
    """One command. `needs` are the bytes of its weights and caches, what is in memory together."""

    kind: Literal["pair", "alone", "scoring"]
    model: str
    needs: int
    workload: str = SCORING
    """Its name."""
    word: str = ""
    """What `--workload` is given: the name, or a file."""
    batch: int = 0
    against: str | None = None

    @property
    def key(self) -> str:
        """What the state calls it."""
        where = f"{self.workload}.b{self.batch}" if self.batch else self.workload
        return ".".join(filter(None, [where, self.model, self.against]))

    @property
    def name(self) -> str:
        """What people are told."""
        models = f"{self.model} against {self.against}" if self.against else self.model
        return f"{models}, {self.workload} at batch {self.batch}" if self.batch else f"{models}, {self.workload}"


@dataclass(frozen=True)
class LeftOut:
    """A step that is not run, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(frozen=True)
class Conditions:
    """What decides whether a step can be run."""

    room: int | None
    """Bytes that weights and caches may take; None where nobody knows, and everything is tried."""
    dtype: Dtype

    def needs(self, model: Model, batch: int, length: int) -> int:
        """Bytes of the weights and of the caches of that many sequences."""
        return memory_bytes(model.architecture, batch, length, self.dtype, self.dtype)

    def no_room(self, needs: int) -> str | None:
        """Why so many bytes do not fit; None where they do."""
        if self.room is None or needs <= self.room:
            return None
        return f"weights and caches take {gigabytes(needs)}, and {gigabytes(max(self.room, 0))} are there for them"


@dataclass(frozen=True)
class Sweep:
    """A workload without stated batches, of one model: the batch doubles, each a step, until `is_over` or the memory's end."""

    model: Model
    workload: Workload
    word: str
    conditions: Conditions

    @property
    def name(self) -> str:
        """What people are told."""
        return f"{self.model.id}, {self.workload.name}"

    def at(self, batch: int) -> Step | LeftOut:
        """The step at a batch, unless it does not fit."""
        return _alone(self.model, self.workload, self.word, batch, self.conditions)

    def steps(self) -> Iterator[Step | LeftOut]:
        """Every step from batch 1 on; the last one is that which does not fit."""
        batch, fits = 1, True
        while fits and batch <= LARGEST_BATCH:
            step = self.at(batch)
            yield step
            batch, fits = 2 * batch, isinstance(step, Step)


@dataclass(frozen=True)
class Plan:
    """What is run, in order, and what is not."""

    entries: tuple[Step | Sweep, ...]
    left_out: tuple[LeftOut, ...]


def plan_of(family: Family, words: Sequence[str], conditions: Conditions) -> Plan:
    """The steps of those workloads (names, YAML files, `scoring`), in the order of the words.

    Raises what `load_workload` raises, and InvalidOption for one with arrivals at a rate or a sweep of several shapes.
    """
    found: list[Step | Sweep | LeftOut] = []
    for word in words:
        if word == SCORING:
            found += [_scoring(model, conditions) for model in _scored(family)[:1]]
        else:
            found += _measured(family, _workload(word), word, conditions)
    if SCORING in words:
        found += [_scoring(model, conditions) for model in _scored(family)[1:]]
    once = {entry.name: entry for entry in found}.values()  # a parent of two that stands alone would be there twice
    return Plan(
        tuple(entry for entry in once if not isinstance(entry, LeftOut)),
        tuple(entry for entry in once if isinstance(entry, LeftOut)),
    )


def _scored(family: Family) -> list[Model]:
    """All models, the one that was cut from another and takes least first."""
    first = [family.pairs[0][0]] if family.pairs else []
    return [*first, *(model for model in family.models if model not in first)]


def _workload(word: str) -> Workload:
    workload = load_workload(word)
    if workload.rates or (workload.batches == "sweep" and len(workload.shapes) > 1):
        raise InvalidOption(
            f"Workload {workload.name} has arrivals at a rate, or a sweep of several shapes.",
            "Take workloads of stated batches, or a sweep of one shape: --workloads batch1,chat,offline.",
        )
    return workload


def _measured(
    family: Family, workload: Workload, word: str, conditions: Conditions
) -> Iterator[Step | Sweep | LeftOut]:
    if workload.batches == "sweep":
        for model in family.models:
            first = _alone(model, workload, word, 1, conditions)
            yield Sweep(model, workload, word, conditions) if isinstance(first, Step) else first
        return
    for batch in workload.batches:
        for pair in family.pairs:
            yield from _pair(pair, workload, word, int(batch), conditions)
        for model in family.alone:
            yield _alone(model, workload, word, int(batch), conditions)


def _pair(
    pair: tuple[Model, Model], workload: Workload, word: str, batch: int, conditions: Conditions
) -> Iterator[Step | LeftOut]:
    """Both together where they fit, else each that fits alone."""
    both = [_alone(model, workload, word, batch, conditions) for model in pair]
    length = min(_longest(model, workload) for model in pair)
    needs = sum(conditions.needs(model, batch, length) for model in pair)
    step = Step("pair", pair[0].id, needs, workload.name, word, batch, pair[1].id)
    if why := _too_long(pair, workload):
        yield LeftOut(step.name, why)
    elif why := conditions.no_room(needs):
        yield LeftOut(step.name, why)
        yield from both
    else:
        yield step


def _alone(model: Model, workload: Workload, word: str, batch: int, conditions: Conditions) -> Step | LeftOut:
    needs = conditions.needs(model, batch, _longest(model, workload))
    step = Step("alone", model.id, needs, workload.name, word, batch)
    why = _too_long([model], workload) or conditions.no_room(needs)
    return LeftOut(step.name, why) if why else step


def _longest(model: Model, workload: Workload) -> int:
    """Tokens of the longest request that the model's context takes; bench leaves out those that are longer."""
    context = model.architecture.max_context or LONGEST_IF_UNKNOWN
    lengths = [shape.input + shape.output for shape in workload.shapes]
    return max((length for length in lengths if length <= context), default=0)


def _too_long(models: Sequence[Model], workload: Workload) -> str | None:
    if all(_longest(model, workload) for model in models):
        return None
    least = min(shape.input + shape.output for shape in workload.shapes)
    return f"a request has {least:,} tokens, more than the context"


def _scoring(model: Model, conditions: Conditions) -> Step | LeftOut:
    context = min(model.architecture.max_context or LONGEST_IF_UNKNOWN, SCORED_CONTEXT)
    step = Step("scoring", model.id, conditions.needs(model, 1, context))
    why = conditions.no_room(step.needs)
    return LeftOut(step.name, why) if why else step
