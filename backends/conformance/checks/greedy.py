"""The check of greedy flags: true where every token is the most probable one, and only there."""

from __future__ import annotations

from backends.conformance.outcome import Fail, Passed, Skip, passed
from backends.conformance.subject import Subject
from backends.contract import ScoreRequest, Tokens

CHAIN = 4


def greedy_flags(subject: Subject) -> Passed:
    """The most probable continuation is flagged, and none of it with a token changed at its end, its beginning or inside."""
    asked: list[tuple[ScoreRequest, bool]] = []
    ties = 0
    for context in subject.sequences.prompts(2 if subject.short else 4, CHAIN):
        chain, margin = _chain(subject, context)
        if margin <= subject.allowed.tie:
            ties += 1
            continue
        asked.append((ScoreRequest(context, chain), True))
        for place in (0, CHAIN // 2, CHAIN - 1):
            other = next(i for i in subject.sequences.drawn(8, 81) if i != chain[place])
            changed = (*chain[:place], other, *chain[place + 1 :])
            asked.append((ScoreRequest(context, changed), False))
    if not asked:
        raise Skip("the two most probable tokens are too near each other behind every context")
    for (_, expected), score in zip(asked, subject.scores([request for request, _ in asked]), strict=True):
        if score.greedy != expected:
            what = "the most probable continuation" if expected else "a continuation with a less probable token"
            raise Fail(f"{what} is flagged {str(score.greedy).lower()}", requests=len(asked))
    return passed(f"{len(asked)} continuations, one in four of them greedy", requests=len(asked), near_ties=ties)


def _chain(subject: Subject, context: Tokens) -> tuple[Tokens, float]:
    """The most probable tokens one after the other, and the smallest margin on the way."""
    tokens, margin = context, float("inf")
    for _ in range(CHAIN):
        row = subject.known.rows((*tokens, tokens[-1]))[-1]
        tokens, margin = (*tokens, row.best), min(margin, row.margin)
    return tokens[len(context) :], margin
