"""Checks of which row belongs to which token, against the model's own forward pass."""

from __future__ import annotations

from collections.abc import Sequence

from backends.conformance.outcome import Fail, Passed, Skip, passed
from backends.conformance.subject import Subject
from backends.contract import ScoreRequest, Tokens

SPLITS = (1, 8, 37, -1)
"""Where a sequence is cut into context and continuation; from its end where negative."""
SCORED = 24


def alignment(subject: Subject) -> Passed:
    """Each token's log p is that of its own row, wherever context ends."""
    whole = subject.sequences.whole(subject.short)[1]
    cuts = [cut % len(whole) for cut in SPLITS]
    requests = [ScoreRequest(whole[:cut], whole[cut : cut + SCORED], per_token=True) for cut in cuts]
    worst = max(_against_known(subject, request, found) for request, found in _series(subject, requests))
    return passed(f"{sum(len(r.continuation) for r in requests)} tokens behind {len(cuts)} contexts", largest=worst)


def repeated_tokens(subject: Subject) -> Passed:
    """A row looked up by its token would find its neighbour where tokens repeat."""
    token = subject.sequences.drawn(3, 7)[-1]
    # Behind unlike tokens: over equal values attention gives the same whatever the position, and all rows would be alike.
    begins = subject.sequences.drawn(9, 8)
    requests = [ScoreRequest((*begins, *(token,) * n), (token,) * 6, per_token=True) for n in (0, 1, 4)]
    worst = max(_against_known(subject, request, found) for request, found in _series(subject, requests))
    return passed("one token again and again behind others", largest=worst)


def first_token(subject: Subject) -> Passed:
    """The first token of a continuation counts: alone, and before others."""
    whole = subject.sequences.whole(subject.short)[0]
    requests = [ScoreRequest(whole[:cut], whole[cut : cut + n], True) for cut in (1, 16, 33) for n in (1, 2)]
    worst = max(_against_known(subject, request, found) for request, found in _series(subject, requests))
    return passed("continuations of one and two tokens", largest=worst)


def bos_once(subject: Subject) -> Passed:
    """No token is put before a context, and none is taken from its beginning."""
    bos = subject.backend.tokenizer.bos_id
    if bos is None:
        raise Skip("the tokenizer has no token that begins a text")
    plain = subject.sequences.drawn(SCORED, 11)
    worst = 0.0
    for begins in (plain[:8], (bos, *plain[:8]), (bos, bos, *plain[:8])):
        request = ScoreRequest(begins, plain[8:], per_token=True)
        ((_, found),) = _series(subject, [request])
        off = _largest(found, subject.known.series(request))
        worst = max(worst, off)
        if off <= subject.allowed.token:
            continue
        more = ScoreRequest((bos, *begins), request.continuation)
        less = ScoreRequest(begins[1:], request.continuation)
        if _largest(found, subject.known.series(more)) <= subject.allowed.token:
            raise Fail("the scores are those of a context with one more token that begins a text", largest=off)
        if begins[0] == bos and _largest(found, subject.known.series(less)) <= subject.allowed.token:
            raise Fail("the scores are those of a context without the token that begins it", largest=off)
        raise Fail(f"log p differs by {off:.3g} behind {begins.count(bos)} tokens that begin a text", largest=off)
    return passed("contexts with none, one and two tokens that begin a text", largest=worst)


def vocabulary_edge(subject: Subject) -> Passed:
    """The first and the last id of the vocabulary, and those with a meaning (padding, end of text), are ids like any other."""
    last = subject.sequences.known_ids - 1
    edges = sorted({0, last, *(i for i in subject.sequences.special if 0 <= i <= last)})
    plain = subject.sequences.drawn(6, 12)
    requests = [
        ScoreRequest((*plain, edge), (edge, other, edge), True) for edge in edges for other in (edges[0], edges[-1])
    ]
    worst = max(_against_known(subject, request, found) for request, found in _series(subject, requests))
    return passed(f"ids {', '.join(map(str, edges))}", largest=worst)


def _series(subject: Subject, requests: Sequence[ScoreRequest]) -> list[tuple[ScoreRequest, Sequence[float]]]:
    """Each request with its tokens' log p. Fail where a request has not one a token."""
    found: list[tuple[ScoreRequest, Sequence[float]]] = []
    for request, score in zip(requests, subject.scores(requests), strict=True):
        series = score.token_logprobs
        if series is None or len(series) != len(request.continuation):
            had = "none" if series is None else len(series)
            raise Fail(f"{len(request.continuation)} tokens were scored, and {had} log-probabilities given")
        found.append((request, series))
    return found


def _against_known(subject: Subject, request: ScoreRequest, found: Sequence[float]) -> float:
    """The largest |Δ log p| of a token; Fail, with what the rows are instead, where it is more than allowed."""
    off = _largest(found, subject.known.series(request))
    if off <= subject.allowed.token:
        return off
    whole: Tokens = request.context + request.continuation
    rows, start = [row.logp for row in subject.known.rows(whole)], len(request.context) - 1
    for shift, words in ((1, "the token after it"), (-1, "the token before it")):
        neighbours = rows[max(0, start + shift) : start + shift + len(found)]
        offset = len(found) - len(neighbours) if start + shift < 0 else 0
        compared = found[offset : offset + len(neighbours)]
        if len(compared) > 1 and _largest(compared, neighbours) <= subject.allowed.token:
            raise Fail(f"off by one: each log p is that of {words}", largest=off)
    raise Fail(
        f"log p of a token differs by {off:.3g} from the model's own, {subject.allowed.token:.3g} allowed", largest=off
    )


def _largest(found: Sequence[float], known: Sequence[float]) -> float:
    return max((abs(a - b) if a - b == a - b else float("inf")) for a, b in zip(found, known, strict=True))
