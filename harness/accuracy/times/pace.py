"""How long computing will take, by what earlier runs took here: the same model's, else those of one of about its size.

A score's tokens and those of generated text have paces of their own. A pace is taken from whole runs, never from one task:
answers of several tasks may come from one forward pass. Where no run tells a pace, a probe of the model may.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.records.measured_work import Identity, Kind, Measured, Place

RUNS = 5
"""The newest runs that a pace is taken from."""
LEAST_TOKENS: Mapping[Kind, int] = {"scores": 500, "generated text": 50}
"""What a pace rests on at least: below it, the first touches of memory weigh as much as computing."""
LEAST_S = 2.0
"""Seconds of a probe that are as good as those tokens, of a slow model: it has touched its memory before they are counted."""
FARTHEST = 32
"""Times as many FLOPs a token, or as few, as another model may have: beyond it a pace says nothing of this one."""


@dataclass(frozen=True)
class Amount:
    """What a task asks for. None is what cannot be told."""

    score_tokens: int | None = None
    """Tokens to score, each shared prefix once where `shared`."""
    shared: bool = False
    new_tokens: int | None = None
    """At the limit of every answer."""
    generations: int = 0
    """Answers to generate."""
    asked_tokens: int | None = None
    """Tokens to score, shared prefixes as often as they are asked for."""
    prompt_tokens: int | None = None
    """In front of the answers to generate, each shared prefix once where `shared`."""
    longest_scored: int | None = None
    """Tokens of the longest sequence that is scored."""
    longest_generated: int | None = None
    """Tokens of the longest prompt with its answer at the limit."""


Source = Literal["store", "probe"]
"""What tells a pace: earlier runs, or the model itself, run for some seconds."""

ASKS: Mapping[Kind, Callable[[Amount], bool]] = {
    "scores": lambda amount: amount.score_tokens != 0,
    "generated text": lambda amount: amount.new_tokens != 0,
}


@dataclass(frozen=True)
class Probed:
    """What some of a plan's requests took this very model on this device."""

    tokens: int
    """Scored, or new."""
    seconds: float
    """For those tokens alone."""
    prompt_tokens: int = 0
    """In front of new tokens."""
    prompt_seconds: float = 0.0
    shares: bool = True
    """Whether shared prefixes are computed once, and counted once."""

    def tells(self, kind: Kind) -> bool:
        """Whether a pace can rest on it."""
        return self.tokens > 0 and self.seconds > 0 and (self.tokens >= LEAST_TOKENS[kind] or self.seconds >= LEAST_S)

    @property
    def whole_s(self) -> float:
        """Seconds of computing that were measured."""
        return self.seconds + self.prompt_seconds


@dataclass(frozen=True)
class Estimate:
    """How long it will take, and what that rests on."""

    seconds: Mapping[str, float | None]
    """Task → seconds; None where something of it is unknown."""
    at_most: bool
    """Whether something is counted at its limit: answers that may end earlier, prefixes that may be shared."""
    basis: tuple[str, ...]
    """A sentence a pace."""
    sources: Mapping[Kind, Source | None]
    """Kind of work that is asked for → what tells its pace."""

    @property
    def unknown(self) -> tuple[Kind, ...]:
        """What nothing here tells the pace of."""
        return tuple(kind for kind, source in self.sources.items() if source is None)

    @property
    def source(self) -> Source | None:
        """A probe where it tells any pace; None where nothing tells one."""
        known = set(self.sources.values()) - {None}
        return "probe" if "probe" in known else "store" if known else None

    @property
    def total(self) -> float | None:
        """Seconds of all that is known; None where nothing is."""
        known = [seconds for seconds in self.seconds.values() if seconds is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class _Pace:
    per_token: float
    told: str
    source: Source = "store"
    per_prompt_token: float = 0.0
    """Of prompts in front of new tokens, where they were measured apart; else they are in `per_token`."""
    shares: bool = True


def estimated_time(
    amounts: Mapping[str, Amount],
    identity: Identity,
    flops: int | None,
    place: Place | None,
    measured: Iterable[Measured],
    probed: Mapping[Kind, Probed] | None = None,
) -> Estimate:
    """The time of each task of one model; unknown without a `place`. `measured` is newest first; what ran elsewhere, or in
    another way, is left out. What `probed` says counts where no run tells."""
    here = [row for row in measured if place and _alike(row.place, place)]
    own = [row for row in here if row.identity == identity]
    paces: dict[Kind, _Pace | None] = {}
    for kind, asks in ASKS.items():
        if any(map(asks, amounts.values())):
            paces[kind] = _pace(own, kind) or _scaled(here, kind, flops) or _by_probe(kind, (probed or {}).get(kind))
    lengths = {task: length for task in amounts if (length := _answer_length(own, task)) is not None}
    return Estimate(
        {task: _seconds(task, amount, paces, lengths) for task, amount in amounts.items()},
        any(_at_limit(task, amount, lengths) for task, amount in amounts.items()),
        tuple(pace.told for pace in paces.values() if pace),
        {kind: pace.source if pace else None for kind, pace in paces.items()},
    )


def _alike(a: Place, b: Place) -> bool:
    return (a.backend, a.device, a.hardware) == (b.backend, b.device, b.hardware) and (b.dtype in (None, a.dtype))


def _pace(rows: Sequence[Measured], kind: Kind) -> _Pace | None:
    """By the newest runs that did work of this kind; None where they did too little of it."""
    asked = [row for row in rows if row.amount(kind)[0]]
    runs = list(dict.fromkeys(row.run_id for row in asked))[:RUNS]
    amounts = [row.amount(kind) for row in asked if row.run_id in runs]
    tokens, seconds = sum(tokens for tokens, _ in amounts), math.fsum(seconds for _, seconds in amounts)
    if tokens < LEAST_TOKENS[kind] or seconds <= 0:
        return None
    ran = f"{len(runs)} runs" if len(runs) > 1 else f"run {runs[0]}"
    told = f"{kind} at {_rate(tokens, seconds)} tokens/s, by {tokens:,} tokens of {asked[0].model} ({ran})"
    return _Pace(seconds / tokens, told)


def _scaled(rows: Sequence[Measured], kind: Kind, flops: int | None) -> _Pace | None:
    """By the model whose FLOPs a token are nearest to these."""
    if flops is None:
        return None
    for theirs in sorted({row.flops_per_token for row in rows if row.flops_per_token}, key=_distance(flops)):
        pace = _pace([row for row in rows if row.flops_per_token == theirs], kind)
        if abs(math.log(flops / theirs)) <= math.log(FARTHEST) and pace:
            told = f"{pace.told}, times {flops / theirs:.2g} for the FLOPs of a token: roughly"
            return _Pace(pace.per_token * flops / theirs, told)
    return None


def _by_probe(kind: Kind, probed: Probed | None) -> _Pace | None:
    if probed is None or not probed.tells(kind):
        return None
    told = f"{kind} at {_rate(probed.tokens, probed.seconds)} tokens/s"
    per_prompt_token = probed.prompt_seconds / probed.prompt_tokens if probed.prompt_tokens else 0.0
    if probed.prompt_tokens:
        told += f", its prompts at {_rate(probed.prompt_tokens, probed.prompt_seconds)}"
    told += f", by a probe of {probed.whole_s:.2g} s on this device ({probed.tokens:,} tokens)"
    return _Pace(probed.seconds / probed.tokens, told, "probe", per_prompt_token, probed.shares)


def _rate(tokens: int, seconds: float) -> str:
    return f"{tokens / seconds:.2g}" if tokens < 100 * seconds else f"{tokens / seconds:,.0f}"


def _distance(flops: int) -> Callable[[int], float]:
    return lambda theirs: abs(math.log(flops / theirs))


def _answer_length(own: Sequence[Measured], task: str) -> float | None:
    """New tokens of an answer to this task, on the average of this model's earlier runs."""
    rows = [row for row in own if row.task == task and row.new_tokens and row.requests]
    return sum(row.new_tokens for row in rows) / sum(row.requests for row in rows) if rows else None


def _seconds(
    task: str, amount: Amount, paces: Mapping[Kind, _Pace | None], lengths: Mapping[str, float]
) -> float | None:
    parts = list(_parts(task, amount, paces, lengths))
    return None if None in parts else math.fsum(part for part in parts if part is not None)


def _parts(
    task: str, amount: Amount, paces: Mapping[Kind, _Pace | None], lengths: Mapping[str, float]
) -> Iterator[float | None]:
    if amount.score_tokens != 0:
        pace = paces.get("scores")
        alone = pace and not pace.shares and amount.asked_tokens is not None
        yield _times(amount.asked_tokens if alone else amount.score_tokens, pace and pace.per_token)
    if amount.new_tokens != 0:
        pace = paces.get("generated text")
        ends = task in lengths and amount.new_tokens is not None
        new = min(amount.new_tokens or 0, lengths[task] * amount.generations) if ends else amount.new_tokens
        yield _times(new, pace and pace.per_token)
        if pace and pace.per_prompt_token:
            yield _times(amount.prompt_tokens, pace.per_prompt_token)


def _times(tokens: float | None, per_token: float | None) -> float | None:
    return None if tokens is None or per_token is None else tokens * per_token


def _at_limit(task: str, amount: Amount, lengths: Mapping[str, float]) -> bool:
    return bool((amount.new_tokens and task not in lengths) or (amount.score_tokens and not amount.shared))
