"""Engines whose answers depend on neighbours, order or earlier calls."""

from __future__ import annotations

from dataclasses import replace

from backends.contract import Score
from support.faulty_engines import Engine, fault, with_series


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
