"""Checks that an answer depends on its request alone: not on order, neighbours, earlier calls or what a cache holds."""

from __future__ import annotations

import random
from collections.abc import Sequence

from backends.conformance.outcome import Fail, Passed, Skip, passed
from backends.conformance.subject import Subject
from backends.contract import Score, ScoreRequest


def order(subject: Subject) -> Passed:
    """The same requests in another order."""
    requests = _mixed(subject)
    first = subject.scores(requests)
    places = list(range(len(requests)))
    share = 0.0
    for seed in (None, 1):
        places = places[::-1] if seed is None else random.Random(seed).sample(places, len(places))
        again = subject.scores([requests[place] for place in places])
        back: list[Score] = [again[places.index(i)] for i in range(len(requests))]
        share = max(share, subject.same(requests, back, first, "depends on the order of the requests"))
    return passed(f"{len(requests)} requests in three orders", share_of_allowed=share)


def batch(subject: Subject) -> Passed:
    """A request alone, among others of its length, and beside far longer ones."""
    requests = _mixed(subject)[:8]
    together = subject.scores(requests)
    long = subject.sequences.drawn(min(400, subject.sequences.longest), 21)
    share = 0.0
    for request, one in zip(requests, together, strict=True):
        alone = subject.scores([request])
        among = subject.scores([request, ScoreRequest(long[:-3], long[-3:]), request])
        for found in (alone[0], among[0], among[2]):
            share = max(share, subject.same([request], [found], [one], "depends on what is asked beside it"))
    return passed(f"{len(requests)} requests alone and in two batches", share_of_allowed=share)


def same_call_twice(subject: Subject) -> Passed:
    """The second and the third call find what the first left in a cache."""
    whole = subject.sequences.drawn(120, 31)
    requests = [
        *_mixed(subject)[:8],
        ScoreRequest(whole[:-20], whole[-20:], True),
        ScoreRequest(whole[:9], whole[9:], True),
    ]
    first = subject.scores(requests)
    share = 0.0
    for _ in range(1 if subject.short else 2):
        again = subject.scores(requests)
        share = max(share, subject.same(requests, again, first, "is another when the call is made again"))
        _same_lengths(requests, again)
    return passed(f"{len(requests)} requests, the same call again", share_of_allowed=share)


def cached_prefix(subject: Subject) -> Passed:
    """A cache that holds more than the context: it reaches into the continuation, whose rows it does not have."""
    share = 0.0
    size = len(subject.sequences.drawn(120, 40))
    for seed, (long, short) in enumerate([(size - 24, 16), (size - 8, 1), (size // 2 + 4, size // 2 - 10)]):
        whole = subject.sequences.drawn(size, 41 + seed)
        behind_little = ScoreRequest(whole[:short], whole[short:], per_token=True)
        fresh = subject.scores([ScoreRequest(whole[:short], whole[short : long - 8])])  # fills the cache
        subject.scores([ScoreRequest(whole[:long], whole[long:])])
        (cached,) = subject.scores([behind_little])
        _same_lengths([behind_little], [cached])
        assert cached.token_logprobs is not None
        part = sum(cached.token_logprobs[: long - 8 - short])
        cut = Score(0, part, fresh[0].greedy)
        request = ScoreRequest(whole[:short], whole[short : long - 8])
        share = max(share, subject.same([request], [cut], fresh, "is another once a longer prefix is cached"))
        try:
            known = [Score(0, sum(subject.known.series(behind_little)), cached.greedy)]
        except Skip:
            continue
        share = max(share, subject.same([behind_little], [cached], known, "is wrong behind a longer cached prefix"))
    return passed("three prefixes, each cached beyond the context", share_of_allowed=share)


def duplicates(subject: Subject) -> Passed:
    """The same request several times in one call: each is answered, alike."""
    three = _mixed(subject)[1:4]
    requests = [three[place] for place in (0, 1, 0, 2, 2, 0, 1, 0)]
    answers = subject.scores(requests)
    first = [answers[requests.index(request)] for request in requests]
    share = subject.same(requests, answers, first, "differs between two copies of it in one call")
    return passed(f"{len(requests)} requests, three of them different", share_of_allowed=share)


def abandoned_call(subject: Subject) -> Passed:
    """A call that is left after its first answer leaves nothing to the next."""
    requests = _mixed(subject)[:8]
    first = subject.scores(requests)
    left = iter(subject.backend.score(_mixed(subject)[8:]))
    next(left)
    close = getattr(left, "close", None)
    if close is not None:
        close()
    again = subject.scores(requests)
    share = subject.same(requests, again, first, "is another after a call that was left")
    return passed("a call left after its first answer", share_of_allowed=share)


def _mixed(subject: Subject) -> list[ScoreRequest]:
    """Endings of several questions, neighbours of unlike lengths."""
    return [request for question in subject.sequences.questions(4 if subject.short else 8) for request in question]


def _same_lengths(requests: Sequence[ScoreRequest], answers: Sequence[Score]) -> None:
    """Fail where a cache takes rows away."""
    for request, answer in zip(requests, answers, strict=True):
        if request.per_token and len(answer.token_logprobs or ()) != len(request.continuation):
            raise Fail(
                f"of {len(request.continuation)} tokens {len(answer.token_logprobs or ())} have a log-probability once a "
                "prefix is cached"
            )
