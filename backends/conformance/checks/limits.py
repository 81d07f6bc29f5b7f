"""Checks of what fits and what must be refused: a sequence too long, a part that is empty, an id that does not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from backends.conformance.outcome import Fail, Passed, Skip, passed
from backends.conformance.subject import Subject
from backends.contract import GenerateRequest, Score, ScoreRequest
from zoo.errors import InputError, one_line

LONGEST = {"cpu": 4096, "cuda": 65536}
"""Tokens of the longest sequence that is tried: a model with a longer context is tried so far, and it is said."""
COMPARED = 4097
"""Tokens of the longest sequence that the reference computes too."""
SHORT = 1024
"""The same in a short run."""


def longest_context(subject: Subject) -> Passed:
    """A sequence that fills the context, one token more only predicted: every token counts, the first as well."""
    fits = subject.sequences.longest
    tried = min(fits, LONGEST.get(subject.backend.device.partition(":")[0], 4096), SHORT if subject.short else fits)
    whole = subject.sequences.drawn(tried, 51)
    requests = [
        ScoreRequest(whole[:1], whole[1:], per_token=True),
        ScoreRequest(whole[:-1], whole[-1:], per_token=True),
    ]
    answers = subject.scores(requests)
    if len(answers[0].token_logprobs or ()) != tried - 1:
        raise Fail(f"of {tried - 1} tokens {len(answers[0].token_logprobs or ())} have a log-probability")
    figures: dict[str, Any] = {"tokens": tried, "fits": fits}
    said = f"{tried} of {fits} tokens"
    if tried > COMPARED:
        return passed(f"{said}; no reference is computed beyond {COMPARED}", **figures)
    known = [Score(i, sum(subject.known.series(request)), answers[i].greedy) for i, request in enumerate(requests)]
    share = subject.same(requests, answers, known, "that fills the context is not the model's own")
    return passed(said, share_of_allowed=share, **figures)


def one_more(subject: Subject) -> Passed:
    """A sequence of one token too many is refused, never cut; so is a generation that does not fit."""
    fits, context = subject.sequences.longest, subject.checkpoint.max_length
    if fits - 1 > context:
        raise Fail(
            f"it claims a context of {fits - 1} tokens, config.json gives {context}", claims=fits - 1, context=context
        )
    token = subject.sequences.drawn(1, 52)[0]
    whole = (token,) * (fits + 1)
    calls: dict[str, Callable[[], Iterable[Any]]] = {
        f"a sequence of {fits + 1} tokens": lambda: subject.backend.score([ScoreRequest(whole[:-1], whole[-1:])]),
        f"a continuation of {fits} tokens behind one": lambda: subject.backend.score(
            [ScoreRequest(whole[:1], whole[1:])]
        ),
        "such a sequence beside one that fits": lambda: subject.backend.score(
            [ScoreRequest(whole[:2], whole[:1]), ScoreRequest(whole[:-1], whole[-1:])]
        ),
    }
    if subject.backend.capabilities.generate:
        full = whole[: fits - 1]
        calls["one new token behind a full context"] = lambda: subject.backend.generate([GenerateRequest(full, 1)])
    _refused(calls)
    return passed(f"a sequence of {fits + 1} tokens is refused", fits=fits)


def empty_parts(subject: Subject) -> Passed:
    """An empty context, continuation or prompt is refused: there is nothing to predict from, or nothing to predict."""
    token = subject.sequences.drawn(1, 53)
    calls: dict[str, Callable[[], Iterable[Any]]] = {
        "an empty context": lambda: subject.backend.score([ScoreRequest((), token)]),
        "an empty continuation": lambda: subject.backend.score([ScoreRequest(token, ())]),
    }
    if subject.backend.capabilities.generate:
        calls["an empty prompt"] = lambda: subject.backend.generate([GenerateRequest((), 4)])
    _refused(calls)
    return passed(" and ".join(calls))


def outside_vocabulary(subject: Subject) -> Passed:
    """An id that the embedding does not have is refused before it reaches the device."""
    token, size = subject.sequences.drawn(1, 54), subject.sequences.vocabulary
    calls: dict[str, Callable[[], Iterable[Any]]] = {}
    for wrong in (size, -1):
        calls[f"id {wrong} in a context"] = lambda w=wrong: subject.backend.score([ScoreRequest((*token, w), token)])
        calls[f"id {wrong} in a continuation"] = lambda w=wrong: subject.backend.score([ScoreRequest(token, (w,))])
        if subject.backend.capabilities.generate:
            calls[f"id {wrong} in a prompt"] = lambda w=wrong: subject.backend.generate([GenerateRequest((w,), 2)])
    _refused(calls)
    return passed(f"ids {size} and -1 of a vocabulary of {size}", vocabulary=size)


def after_refusal(subject: Subject) -> Passed:
    """What is refused leaves the engine as it was."""
    requests = [request for question in subject.sequences.questions(2) for request in question]
    first = subject.scores(requests)
    wrong = ScoreRequest(requests[0].context, (subject.sequences.vocabulary,))
    try:
        list(subject.backend.score([*requests[:2], wrong]))
    except (ValueError, InputError):
        pass
    else:
        raise Skip("nothing was refused")
    share = subject.same(requests, subject.scores(requests), first, "is another after a call that was refused")
    return passed(f"{len(requests)} requests before and after a refusal", share_of_allowed=share)


def _refused(calls: dict[str, Callable[[], Iterable[Any]]]) -> None:
    """Fail at the first call that is not refused as the contract says."""
    for what, call in calls.items():
        try:
            list(call())
        except (ValueError, InputError):
            continue
        except Exception as error:
            raise Fail(f"{what} is not refused: it raised {type(error).__name__} ({one_line(error)})") from error
        raise Fail(f"{what} was answered")
