"""Engines whose rows or log-probabilities are wrong; `distribution` is of every token behind each of a sequence."""

from __future__ import annotations

from dataclasses import replace

import torch

from backends.contract import ScoreRequest
from support.faulty_engines import Engine, fault, with_series


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
    window = 32

    def series(self, request, series):
        tokens, start = request.context + request.continuation, len(request.context)
        asked = [
            ScoreRequest(tokens[max(0, i - self.window) : i], tokens[i : i + 1]) for i in range(start, len(tokens))
        ]
        return [score.logprob for score in sorted(self.inner.score(asked), key=lambda score: score.index)]


@fault("rank-one-assumed")
class RankOneAssumed(Engine):
    def answer(self, request, score, call):
        return replace(score, greedy=True)
