"""The pace of a model that no run tells: some of a plan's own requests, run for seconds, and nothing kept of the answers.

Scores: documents at places evenly spread over the schedule's tokens, as many at each as follow one another there, so that they
share what the schedule shares; twice as many each time, until a call is long enough to tell. Generated text: prompts from
such places, as often as sequences decode together, with one new token and then with several: what the second call takes
longer is decoding. The first call, which touches memory first, is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

from backends.contract import Backend, GenerateRequest, Options, ScoreRequest, shares_prefixes
from backends.opening import open_backend
from backends.packing.prefix_tree import PrefixTree
from backends.packing.score import tree_of
from harness.accuracy.times.pace import LEAST_TOKENS, Probed
from harness.accuracy.times.time_limit import Budget, Clock
from harness.data.offline import hub_offline
from harness.lmeval.encoding import Unit
from harness.records.measured_work import Kind
from harness.records.outcome import failure_of
from zoo.checkpoint.locate import Outline, locate
from zoo.errors import MinizooError

T = TypeVar("T")

MOST_S = 20.0
"""Seconds of computing, of all kinds of work together."""
ENOUGH_S = 3.0
"""Seconds of a call that need no second opinion."""
SETTLED_S, SETTLED = 0.5, 0.1
"""Seconds of a call, and how far its pace may be from that of the call before, which had half as much."""
PLACES = 8
"""Places of the schedule that documents are taken from at most."""
DISTINCT = 4
"""Prompts at most; and they take one part in as many of the time."""
WARM = 64
"""Tokens of the prompt that touches memory first."""
NEW_TOKENS = 8
"""Of each sequence, where that is enough."""
TOO_FEW = "the requests, or the tokens of their answers, are too few to tell"
SLOTS = 8
"""Sequences at a time, of a backend that does not tell how many it decodes together."""

Watch = Callable[[str], None]
"""Is told what the probe does from now on."""


@dataclass(frozen=True)
class Probe:
    """What a probe would run, all of it at hand."""

    outline: Outline
    backend: str
    options: Options
    units: Sequence[Unit]
    slots: int | None = None
    """Sequences that decode together; None where the backend does not tell."""

    def kinds(self, wanted: Sequence[Kind]) -> list[Kind]:
        """Those of the kinds of work that the plan has requests of."""
        return [kind for kind in wanted if any(isinstance(unit.request, REQUESTS[kind]) for unit in self.units)]


@dataclass(frozen=True)
class Outcome:
    """What a probe found: a pace for each kind that it could tell, and a line for what it could not."""

    probed: dict[Kind, Probed]
    told: tuple[str, ...] = ()


def run_probe(probe: Probe, wanted: Sequence[Kind], watch: Watch, most_s: float = MOST_S) -> Outcome:
    """Open the model, measure the kinds of work, and give its memory back. Nothing is fetched.

    Whatever the model or its engine raises, and an interrupt, ends the probe and is told; it is never raised.
    """
    outcome = Outcome({})
    try:
        with hub_offline():
            watch("loading the model")
            backend = open_backend(locate(probe.outline), probe.backend, probe.options)
        with closing(backend):
            watch("probing")
            budget = Budget(most_s)
            for place, kind in enumerate(wanted):
                outcome = _measured(probe, kind, backend, budget, len(wanted) - place, outcome)
    except KeyboardInterrupt:
        return replace(outcome, told=(*outcome.told, "The probe was stopped."))
    except Exception as error:  # whatever an engine raises
        return replace(outcome, told=(*outcome.told, f"The probe failed: {_cause(error)}"))
    return outcome


def _measured(probe: Probe, kind: Kind, backend: Backend, budget: Budget, sharers: int, before: Outcome) -> Outcome:
    """With the pace of one more kind, or why it has none."""
    units = [unit for unit in probe.units if isinstance(unit.request, REQUESTS[kind])]
    measure = _Scores(units, backend) if kind == "scores" else _Texts(units, backend, probe.slots or SLOTS)
    try:
        with budget.share(1 / sharers) as left:
            measure.run(left)
    except Exception as error:
        return replace(before, told=(*before.told, f"The probe of {kind} failed: {_cause(error)}"))
    if measure.found is None or not measure.found.tells(kind):
        why = measure.why or f"{budget.most_s:.0f} s are not enough to tell"
        return replace(before, told=(*before.told, f"The probe of {kind} found no pace: {why}."))
    return replace(before, probed={**before.probed, kind: measure.found})


class _Scores:
    """The pace of scores."""

    def __init__(self, units: Sequence[Unit], backend: Backend) -> None:
        self.found: Probed | None = None
        self.why = ""
        self._backend, self._shares = backend, shares_prefixes(backend)
        keyed = groupby(units, lambda unit: (unit.key.task, unit.key.doc_id))
        self._documents = [
            [unit.request for unit in group if isinstance(unit.request, ScoreRequest)] for _, group in keyed
        ]
        self._places = _Places([sum(map(_length, document)) for document in self._documents])

    def run(self, clock: Clock) -> None:
        """Measure until a call tells; `found` has the last one that ended."""
        count = 1
        with clock.stopped_in_time(counted=False):
            for _ in self._backend.score(self._chosen(count)):
                pass
        count, before = min(4, len(self._documents)), None
        while True:
            requests = self._chosen(count)
            seconds = self._call(requests, clock)
            assert self.found is not None
            whole = count >= len(self._documents)
            self.why = TOO_FEW if whole else ""
            pace = self.found.seconds / self.found.tokens
            settled = before is not None and seconds >= SETTLED_S and abs(pace / before - 1) <= SETTLED
            enough = self.found.tells("scores")
            if whole or (enough and (settled or seconds >= ENOUGH_S or 2 * seconds > clock.left)):
                return
            count, before = min(2 * count, len(self._documents)), pace

    def _call(self, requests: list[ScoreRequest], clock: Clock) -> float:
        """Measure one call; of one that time stops, what was answered where that is more than the calls before had."""
        answered: list[ScoreRequest] = []
        seconds = 0.0
        with clock.stopped_in_time() as elapsed:
            try:
                with closing(_iterator(self._backend.score(requests))) as scores:
                    for score in scores:
                        answered.append(requests[score.index])
                        seconds = elapsed()
            finally:
                self._take(answered, seconds)
        return seconds

    def _take(self, answered: list[ScoreRequest], seconds: float) -> None:
        tree = tree_of(answered)
        tokens = len(tree) if self._shares else tree.asked_tokens
        if self.found is None or tokens > self.found.tokens:
            self.found = Probed(tokens, seconds, shares=self._shares)

    def _chosen(self, count: int) -> list[ScoreRequest]:
        return [request for index in self._places.take(count) for request in self._documents[index]]


class _Texts:
    """The pace of generated text: of its prompts, and of new tokens while as many sequences decode together as in the run."""

    def __init__(self, units: Sequence[Unit], backend: Backend, slots: int) -> None:
        self.found: Probed | None = None
        self._backend, self._shares = backend, shares_prefixes(backend)
        self._requests = [unit.request for unit in units if isinstance(unit.request, GenerateRequest)]
        self._places = _Places([len(request.prompt) for request in self._requests])
        self._together = min(slots, len(self._requests))
        self.why = ""
        self._longest = WARM

    def run(self, clock: Clock) -> None:
        """Measure the prompts alone, then with new tokens behind them."""
        with clock.stopped_in_time(counted=False) as elapsed:
            self._generated(1, 1, 2)
            first = elapsed()
        # Prompts of a slow model are cut on the left to what a part of the time computes.
        self._longest = max(WARM, int(WARM * clock.left / DISTINCT / max(first, 1e-6)))
        first *= max(1.0, min(self._longest, max(len(request.prompt) for request in self._requests)) / WARM)
        distinct = max(1, min(DISTINCT, self._together, int(clock.left / DISTINCT / max(first, 1e-6))))
        with clock.stopped_in_time() as elapsed:
            short = self._generated(distinct, self._together, 1)
            prompts_s = elapsed()
        self._decode(clock, distinct, short, prompts_s)

    def _decode(self, clock: Clock, distinct: int, short: int, prompts_s: float) -> None:
        """Measure with more and more new tokens; `short` and `prompts_s` are those of the call with one."""
        least = LEAST_TOKENS["generated text"]
        new, held = max(NEW_TOKENS, 1 + -(-2 * least // self._together)), False
        while True:
            with clock.stopped_in_time() as elapsed:
                long = self._generated(distinct, self._together, new, held)
                decoding_s = elapsed() - prompts_s
            self.found = Probed(long - short, decoding_s, self._prompt_tokens(distinct), prompts_s, self._shares)
            self.why = TOO_FEW
            if self.found.tokens < least and not held:
                held, short = True, self._together
                continue
            longer = new * 4
            if decoding_s >= ENOUGH_S / 2 or prompts_s + 4 * max(decoding_s, 0.0) > clock.left or longer > self._limit:
                return
            new = longer

    @property
    def _limit(self) -> int:
        return min(request.max_new_tokens for request in self._requests)

    def _generated(self, distinct: int, count: int, new: int, held: bool = False) -> int:
        """New tokens of so many sequences, on so many prompts; where they are `held`, none ends before its last."""
        taken = [self._requests[index] for index in self._places.take(distinct)]
        prompts = [replace(request, prompt=request.prompt[-self._longest :]) for request in taken]
        asked = [prompts[i % len(prompts)] for i in range(count)]
        asked = [replace(request, max_new_tokens=min(new, request.max_new_tokens)) for request in asked]
        if held:
            asked = [replace(r, stop=(), settings={**r.settings, "min_new_tokens": r.max_new_tokens}) for r in asked]
        return sum(len(generation.tokens) for generation in self._backend.generate(asked))

    def _prompt_tokens(self, distinct: int) -> int:
        prompts = [self._requests[index].prompt[-self._longest :] for index in self._places.take(distinct)]
        if self._shares:
            return len(PrefixTree(prompts, [(0,)] * len(prompts)))
        return sum(len(prompts[i % len(prompts)]) for i in range(self._together))


class _Places:
    """Items of a schedule at places evenly spread over its tokens."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._starts = [0]
        for count in tokens:
            self._starts.append(self._starts[-1] + count)

    def take(self, count: int) -> list[int]:
        """About `count` items, in the schedule's order: of as many places as PLACES allows those that follow one another."""
        every = len(self._starts) - 1
        if count >= every:
            return list(range(every))
        places = min(count, PLACES)
        chosen: set[int] = set()
        for place in range(places):
            middle = self._starts[-1] * (2 * place + 1) / (2 * places)
            at = sum(start <= middle for start in self._starts[1:])
            run = count // places
            first = max(0, min(at - run // 2, every - run))
            chosen.update(range(first, first + run))
        return sorted(chosen)


REQUESTS: dict[Kind, type] = {"scores": ScoreRequest, "generated text": GenerateRequest}


def _length(request: ScoreRequest) -> int:
    return len(request.context) + len(request.continuation) - 1


def _iterator(iterator: Iterator[T]) -> Generator[T]:
    """With a `close`, whatever a backend gives."""
    yield from iterator


def _cause(error: Exception) -> str:
    return error.what if isinstance(error, MinizooError) else f"{failure_of(error).message}."
