"""Engines that change or accept what must be refused, and one that misreads an id at the edge."""

from __future__ import annotations

from dataclasses import replace

from support.faulty_engines import Engine, fault
from support.faulty_rows import LogitsOfOwnStep


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
