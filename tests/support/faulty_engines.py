"""Engines that do one thing wrong, by the id of the fault in backends/conformance/faults.yaml: each is around a right backend.

A right engine here asks the inner backend for every token's log p and hands on what was asked. A fault changes the request
on its way, the answer on its way back, or what is left between calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from backends.contract import GenerateRequest, Generation, Score, ScoreRequest, Step

FAULTS: dict[str, type[Engine]] = {}
BLOCK = 16
"""Tokens of a block of the prefix caches here."""


class Engine:
    """A right engine: the inner backend's answers, every token's log p read one by one."""

    name = "engine"

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.device, self.dtype, self.tokenizer = inner.device, inner.dtype, inner.tokenizer
        self.versions, self.capabilities = {"engine": "1.0"}, inner.capabilities
        self.compute_dtype = inner.compute_dtype
        self.seen: list[tuple[int, ...]] = []

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        answers = self.read(requests, self.inner.score([replace(r, per_token=True) for r in requests]))
        return (
            replace(answer, token_logprobs=answer.token_logprobs if requests[answer.index].per_token else None)
            for answer in answers
        )

    def read(self, requests: Sequence[ScoreRequest], answers: Iterator[Score]) -> Iterator[Score]:
        """The answers, read in the order of the requests; what was asked is remembered."""
        for answer in sorted(answers, key=lambda a: a.index):
            request = requests[answer.index]
            changed = self.answer(request, answer, requests)
            self.seen.append(request.context + request.continuation)
            if changed is not None:
                yield changed

    def answer(self, request: ScoreRequest, score: Score, call: Sequence[ScoreRequest]) -> Score | None:
        return with_series(score, self.series(request, list(score.token_logprobs or ())))

    def series(self, request: ScoreRequest, series: list[float]) -> list[float]:
        return series

    def whole(self, request: ScoreRequest) -> list[float]:
        """log p of every token but the first, of the whole sequence."""
        tokens = request.context + request.continuation
        (score,) = self.inner.score([ScoreRequest(tokens[:1], tokens[1:], per_token=True)])
        return list(score.token_logprobs)

    def cached(self, request: ScoreRequest) -> int:
        """Tokens of the sequence whose keys and values a prefix cache has, in whole blocks."""
        tokens = request.context + request.continuation
        return max((common(tokens, other) for other in self.seen), default=0) // BLOCK * BLOCK

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        return (self.made(requests[g.index], g) for g in self.inner.generate(self.asked(requests)))

    def asked(self, requests: Sequence[GenerateRequest]) -> list[GenerateRequest]:
        return list(requests)

    def made(self, request: GenerateRequest, generation: Generation) -> Generation:
        return generation

    def stream(self, feed: Any, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        return self.inner.stream(feed, room, length, clock)

    def peak_memory(self, reset: bool = False) -> int | None:
        return self.inner.peak_memory(reset)

    def close(self) -> None:
        """The inner backend stays open for the next engine."""


def with_series(score: Score, series: list[float]) -> Score:
    return replace(score, logprob=sum(series), token_logprobs=tuple(series))


def common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def fault(name: str) -> Callable[[type[Engine]], type[Engine]]:
    def register(kind: type[Engine]) -> type[Engine]:
        FAULTS[name] = kind
        return kind

    return register


# Which row belongs to which token


@fault("row-one-late")
class RowOneLate(Engine):
    def series(self, request, series):
        return [*series[1:], series[-1]]


@fault("row-found-by-token")
class RowFoundByToken(Engine):
    def series(self, request, series):
        tokens = request.continuation
        return [
            series[i + 1] if i + 1 < len(tokens) and tokens[i] == tokens[i + 1] else logp
            for i, logp in enumerate(series)
        ]


@fault("logits-of-own-step")
class LogitsOfOwnStep(Engine):
    def series(self, request, series):
        rows = self.distribution(request.context + request.continuation)[-len(series) :]
        return [float(row[token]) for row, token in zip(rows, request.continuation, strict=True)]

    def distribution(self, tokens):
        kept = tokens[: self.capabilities.max_length]
        return torch.cat(list(self.inner.distributions([kept], [len(kept)])))


@fault("first-entry-taken")
class FirstEntryTaken(LogitsOfOwnStep):
    def series(self, request, series):
        rows = self.distribution((request.context + request.continuation)[:-1])[-len(series) :]
        return rows.max(-1).values.tolist()


@fault("temperature-applied")
class TemperatureApplied(LogitsOfOwnStep):
    def series(self, request, series):
        rows = self.distribution((request.context + request.continuation)[:-1])[-len(series) :]
        hot = torch.log_softmax(rows / 0.7, -1)
        return [float(row[token]) for row, token in zip(hot, request.continuation, strict=True)]


@fault("first-asked-row-lost")
class FirstAskedRowLost(Engine):
    def series(self, request, series):
        return [0.0, *series[1:]]


@fault("last-row-skipped")
class LastRowSkipped(Engine):
    def series(self, request, series):
        return series[:-1] or [0.0]


@fault("terms-dropped")
class TermsDropped(Engine):
    def series(self, request, series):
        return [logp if logp > -9 else 0.0 for logp in series]


@fault("outside-top-k")
class OutsideTopK(Engine):
    def series(self, request, series):
        return [logp if logp > -9 else float("-inf") for logp in series]


# No log-probabilities, or of something else


@fault("no-prompt-logprobs")
class NoPromptLogprobs(Engine):
    def series(self, request, series):
        return [0.0] * len(series)


@fault("hardcoded-empty")
class HardcodedEmpty(Engine):
    def series(self, request, series):
        return [-100.0] * len(series)


@fault("raw-logits")
class RawLogits(Engine):
    def series(self, request, series):
        return [logp + 4.0 for logp in series]


@fault("softmax-in-half")
class SoftmaxInHalf(Engine):
    def series(self, request, series):
        return torch.tensor(series).bfloat16().tolist()


@fault("not-finite")
class NotFinite(Engine):
    def answer(self, request, score, call):
        return with_series(score, [float("nan")] * len(score.token_logprobs)) if score.index == 1 else score


@fault("head-width-guessed")
class HeadWidthGuessed(Engine):
    def series(self, request, series):
        return [logp * (0.2 + (token % 7)) for logp, token in zip(series, request.continuation, strict=True)]


@fault("window-wrong")
class WindowWrong(Engine):
    def series(self, request, series):
        narrow = replace(request, context=request.context[-8:], per_token=True)
        (score,) = self.inner.score([narrow])
        return list(score.token_logprobs)


@fault("rank-one-assumed")
class RankOneAssumed(Engine):
    def answer(self, request, score, call):
        return replace(score, greedy=True)


# Neighbours, order and earlier calls


@fault("batch-size-changes-scores")
class BatchSizeChangesScores(Engine):
    def answer(self, request, score, call):
        return with_series(score, [logp - 0.02 * (len(call) > 4) for logp in score.token_logprobs])


@fault("left-padding-counted")
class LeftPaddingCounted(Engine):
    def answer(self, request, score, call):
        short = max(len(r.context + r.continuation) for r in call) - len(request.context + request.continuation)
        if not short or len(request.context + request.continuation) + 1 > self.capabilities.max_length:
            return score
        (padded,) = self.inner.score([replace(request, context=(0, *request.context), per_token=True)])
        return replace(padded, index=score.index)


@fault("rope-of-the-longest")
class RopeOfTheLongest(Engine):
    def answer(self, request, score, call):
        longest = max(len(r.context + r.continuation) for r in call)
        return with_series(score, [logp * (1 + longest / 4096) for logp in score.token_logprobs])


@fault("answers-in-other-order")
class AnswersInOtherOrder(Engine):
    def read(self, requests, answers):
        lengths = [len(r.context + r.continuation) for r in requests]
        places = sorted(range(len(requests)), key=lengths.__getitem__)
        right = sorted(answers, key=lambda a: a.index)
        return (replace(right[place], index=i) for i, place in enumerate(places))


@fault("cached-answers-shift")
class CachedAnswersShift(Engine):
    def read(self, requests, answers):
        right = sorted(answers, key=lambda a: a.index)
        sent = [i for i, request in enumerate(requests) if request not in requests[:i]]
        order = sent + [i for i in range(len(requests)) if i not in sent]
        return (replace(right[i], index=place) for place, i in enumerate(order))


@fault("outputs-lost-on-reuse")
class OutputsLostOnReuse(Engine):
    def answer(self, request, score, call):
        return score if len(self.seen) < 40 or score.index else None


@fault("aborted-leaves-slots")
class AbortedLeavesSlots(Engine):
    def __init__(self, inner):
        super().__init__(inner)
        self.slots: list[Score] = []

    def read(self, requests, answers):
        stale, self.slots = self.slots, sorted(answers, key=lambda a: a.index)
        for index in range(len(requests)):
            own = self.slots.pop(0)
            yield replace(stale.pop(0), index=index) if stale else own


@fault("cached-rows-uninitialised")
class CachedRowsUninitialised(Engine):
    def series(self, request, series):
        inside = max(0, self.cached(request) - len(request.context))
        return [-3.25] * min(inside, len(series)) + series[inside:]


@fault("reuse-cuts-logits")
class ReuseCutsLogits(Engine):
    def series(self, request, series):
        return series[max(0, self.cached(request) - len(request.context)) :] or [0.0]


@fault("cached-request-dropped")
class CachedRequestDropped(Engine):
    def answer(self, request, score, call):
        return score if self.cached(request) <= len(request.context) else None


@fault("warm-cache-other-logits")
class WarmCacheOtherLogits(Engine):
    def series(self, request, series):
        return [logp - 0.06 * (self.cached(request) > 0) for logp in series]


@fault("reuse-changes-generation")
class ReuseChangesGeneration(Engine):
    def made(self, request, generation):
        warm = request.prompt in self.seen
        self.seen.append(request.prompt)
        return replace(generation, tokens=generation.tokens[:1] * len(generation.tokens)) if warm else generation


# What must be refused, or must not be changed


class Changed(Engine):
    """Asks the inner backend something else than what it was asked."""

    def score(self, requests):
        return super().score([self.sent(request) for request in requests])

    def sent(self, request):
        return request


@fault("bos-added")
class BosAdded(Changed):
    def sent(self, request):
        if len(request.context + request.continuation) > self.capabilities.max_length:
            return request
        return replace(request, context=(self.tokenizer.bos_id, *request.context))


@fault("bos-merged")
class BosMerged(Changed):
    def sent(self, request):
        bos = self.tokenizer.bos_id
        return replace(request, context=request.context[1:]) if request.context[:2] == (bos, bos) else request


@fault("truncated-silently")
class TruncatedSilently(Changed):
    limit = 0

    def sent(self, request):
        most = (self.limit or self.capabilities.max_length) + 1 - len(request.continuation)
        continuation = request.continuation[: self.capabilities.max_length]
        return replace(request, context=request.context[-max(1, most) :], continuation=continuation)


@fault("limit-below-context")
class LimitBelowContext(Changed):
    def sent(self, request):
        fits = len(request.context + request.continuation) <= self.capabilities.max_length + 1
        return replace(request, context=request.context[-256:]) if fits else request


@fault("one-position-kept")
class OnePositionKept(Changed):
    def sent(self, request):
        full = len(request.context + request.continuation) == self.capabilities.max_length + 1
        return replace(request, context=request.context[1:]) if full and len(request.context) > 1 else request


@fault("context-claimed-too-long")
class ContextClaimedTooLong(Engine):
    def __init__(self, inner):
        super().__init__(inner)
        self.capabilities = replace(inner.capabilities, max_length=2 * inner.capabilities.max_length)


@fault("empty-context-guessed")
class EmptyContextGuessed(Changed):
    def sent(self, request):
        return request if request.context else replace(request, context=(self.tokenizer.bos_id,))


@fault("unknown-id-kills")
class UnknownIdKills(Engine):
    def score(self, requests):
        try:
            return super().score(requests)
        except ValueError as error:
            if "embedding" in str(error):
                raise IndexError("index out of range in self") from error
            raise


@fault("dead-after-refusal")
class DeadAfterRefusal(Engine):
    dead = False

    def score(self, requests):
        if self.dead:
            raise RuntimeError("engine is dead")
        try:
            return super().score(requests)
        except ValueError:
            self.dead = True
            raise


@fault("padding-scored-as-zero")
class PaddingScoredAsZero(LogitsOfOwnStep):
    def series(self, request, series):
        if 1 not in request.continuation:  # nano's padding
            return series
        rows = self.distribution((request.context + request.continuation)[:-1])[-len(series) :]
        return [float(row[0 if token == 1 else token]) for row, token in zip(rows, request.continuation, strict=True)]


# Generation


@fault("sampled-by-default")
class SampledByDefault(Engine):
    def asked(self, requests):
        return [r if r.temperature else replace(r, temperature=1.0, seed=3) for r in requests]


@fault("default-length")
class DefaultLength(Engine):
    def asked(self, requests):
        return [replace(r, max_new_tokens=min(3, r.max_new_tokens)) for r in requests]


@fault("end-kept")
class EndKept(Engine):
    def made(self, request, generation):
        ended = generation.finish == "stop" and not request.stop
        return replace(generation, tokens=(*generation.tokens, self.tokenizer.eos_id)) if ended else generation


@fault("end-missed")
class EndMissed(Engine):
    def made(self, request, generation):
        left = request.max_new_tokens - len(generation.tokens)
        if generation.finish == "length" or request.stop:
            return generation
        on = [self.tokenizer.eos_id, *generation.tokens] * left
        return replace(generation, tokens=(*generation.tokens, *on[:left]), finish="length")


@fault("stop-ids-cut")
class StopIdsCut(Engine):
    def made(self, request, generation):
        text = self.tokenizer.decode(generation.tokens, skip_special_tokens=False)
        if not any(stop in text for stop in request.stop):
            return generation
        return replace(generation, tokens=generation.tokens[:-2])


@fault("seed-not-heeded")
class SeedNotHeeded(Engine):
    def asked(self, requests):
        return [replace(r, seed=0) for r in requests]


@fault("seed-of-the-batch")
class SeedOfTheBatch(Engine):
    def asked(self, requests):
        return [replace(r, seed=r.seed + len(requests)) for r in requests]


@fault("temperature-not-heeded")
class TemperatureNotHeeded(Engine):
    def asked(self, requests):
        return [replace(r, temperature=0.0) for r in requests]


@fault("stream-loses-tokens")
class StreamLosesTokens(Engine):
    def stream(self, feed, room, length, clock):
        for number, step in enumerate(super().stream(feed, room, length, clock)):
            yield replace(step, tokens=step.tokens[1:]) if number == 4 else step


@fault("stream-repeats-tokens")
class StreamRepeatsTokens(Engine):
    def stream(self, feed, room, length, clock):
        so_far: list[tuple[int, int]] = []
        for step in super().stream(feed, room, length, clock):
            so_far += step.tokens
            yield replace(step, tokens=tuple(so_far))


@fault("memory-kept")
class MemoryKept(Engine):
    def __init__(self, inner):
        super().__init__(inner)
        self.end = threading.Event()
        threading.Thread(target=self.end.wait, args=(60,), daemon=True).start()
