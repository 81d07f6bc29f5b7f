"""Checks of the answers as numbers: one each, finite, adding up, and not all alike."""

from __future__ import annotations

import math

from backends.conformance.outcome import Fail, Passed, Skip, passed
from backends.conformance.subject import Subject
from backends.contract import DistributionBackend, ScoreRequest

MANY = {True: 48, False: 200}
"""Requests of the call with many, in a short run and in a full one."""
ALL_BY_REQUEST = 1024
"""Ids of the largest vocabulary whose probabilities are asked one by one."""
ROUNDED = 1e-5
"""Allowed |Δ| a token between a sum and its parts, relative to 1 nat: the parts may be fp32."""


def every_request(subject: Subject) -> Passed:
    """Many requests in one call: each answered once, by its own answer."""
    count = MANY[subject.short]
    requests = [
        ScoreRequest(tokens[:2], tokens[2:]) for tokens in (subject.sequences.drawn(3, 1000 + i) for i in range(count))
    ]
    answers = subject.scores(requests)
    some = range(0, count, count // 8)
    again = [subject.scores([requests[i]])[0] for i in some]
    share = subject.same(
        [requests[i] for i in some], [answers[i] for i in some], again, "in a call of many is another's"
    )
    return passed(f"{count} requests", requests=count, share_of_allowed=share)


def finite(subject: Subject) -> Passed:
    """Every log p is a number that is not above 0."""
    requests = [ScoreRequest(whole[:1], whole[1:], True) for whole in subject.sequences.whole(subject.short)]
    worst = -math.inf
    for score in subject.scores(requests):
        values = [score.logprob, *(score.token_logprobs or ())]
        wrong = [value for value in values if not math.isfinite(value) or value > subject.allowed.token]
        if wrong:
            raise Fail(f"request {score.index} has a log-probability of {wrong[0]}")
        worst = max(worst, *values)
    return passed(f"{sum(len(r.continuation) for r in requests)} log-probabilities", largest=worst)


def per_token_sums(subject: Subject) -> Passed:
    """The log-probabilities of a continuation's tokens add up to its score, whether they are asked for or not."""
    requests = [ScoreRequest(whole[:9], whole[9:60], True) for whole in subject.sequences.whole(True)]
    answers = subject.scores(requests)
    plain = subject.scores([ScoreRequest(r.context, r.continuation) for r in requests])
    worst = 0.0
    for request, score in zip(requests, answers, strict=True):
        parts = score.token_logprobs or ()
        if len(parts) != len(request.continuation):
            raise Fail(f"{len(request.continuation)} tokens were scored, and {len(parts)} log-probabilities given")
        off = abs(math.fsum(parts) - score.logprob)
        worst = max(worst, off)
        if not off <= ROUNDED * len(parts) * max(1.0, abs(score.logprob) / len(parts)):
            raise Fail(f"the parts add up to {math.fsum(parts):.6g}, the score is {score.logprob:.6g}", largest=off)
    share = subject.same(requests, plain, answers, "is another where no token's is asked")
    return passed(f"{len(requests)} sums", largest=worst, share_of_allowed=share)


def exactly_chance(subject: Subject) -> Passed:
    """Unlike choices have unlike scores, and the context matters: an engine without log-probabilities answers one number."""
    one, other = subject.sequences.drawn(20, 61), subject.sequences.drawn(20, 62)
    choices = subject.sequences.drawn(8, 63)
    requests = [ScoreRequest(context, (choice,)) for context in (one, other) for choice in choices]
    scores = [score.logprob for score in subject.scores(requests)]
    first, second = scores[: len(choices)], scores[len(choices) :]
    distinct = len(set(choices))
    if distinct > 1 and len(set(first)) == 1:
        raise Fail(f"{distinct} choices all score {first[0]}: the engine gives no log-probabilities", choices=distinct)
    if first == second:
        raise Fail("the same choices score the same behind another context", choices=distinct)
    if min(abs(value) for value in scores) == 0:
        raise Fail("a choice scores exactly 0, which no drawn token does", choices=distinct)
    return passed(f"{distinct} choices behind two contexts", choices=distinct, different=len(set(scores)))


def normalised(subject: Subject) -> Passed:
    """The probabilities of all tokens add up to 1: log p is of the whole softmax, no logit and no top-k of it."""
    size = subject.sequences.vocabulary
    context = subject.sequences.drawn(4, 71)
    if isinstance(subject.backend, DistributionBackend):
        import torch

        blocks = subject.backend.distributions([context], [1])
        total = float(torch.cat([torch.as_tensor(block) for block in blocks]).double().logsumexp(-1)[0])
        how = "told at once"
    elif size <= ALL_BY_REQUEST and subject.sequences.known_ids == size:
        scores = subject.scores([ScoreRequest(context, (token,)) for token in range(size)])
        total = math.log(math.fsum(math.exp(score.logprob) for score in scores))
        how = "asked one by one"
    else:
        raise Skip(f"the backend tells no distributions, and {size} requests would be needed")
    if not abs(total) <= subject.allowed.token:
        raise Fail(f"the probabilities of {size} tokens add up to {math.exp(min(total, 700)):.6g}", log_of_sum=total)
    return passed(f"{size} tokens, {how}", log_of_sum=total)
