"""The backend under test, with what every check needs of it: answers in order, known ones, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from backends.conformance.known import Known
from backends.conformance.outcome import Fail, Skip
from backends.conformance.sequences import Sequences
from backends.conformance.tolerances import Tolerance
from backends.contract import Backend, GenerateRequest, Generation, Score, ScoreRequest
from zoo.checkpoint.locate import ModelFolder
from zoo.errors import UnsupportedRequest, one_line

Answer = TypeVar("Answer", Score, Generation)


@dataclass
class Subject:
    """One backend over one checkpoint."""

    backend: Backend
    checkpoint: ModelFolder
    sequences: Sequences
    known: Known
    allowed: Tolerance
    """Of scores."""
    allowed_new: Tolerance
    """Of new tokens, whose head may multiply in another dtype than the layers."""
    short: bool
    reopen: Callable[[], Backend] | None = None
    """Opens the backend a second time."""

    def scores(self, requests: Sequence[ScoreRequest]) -> list[Score]:
        """The answers in the order of the requests. Fail unless each came exactly once."""
        return in_order(list(self.backend.score(requests)), len(requests))

    def generations(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """The same of generations; Skip where the backend does not follow a setting."""
        try:
            answers = list(self.backend.generate(requests))
        except UnsupportedRequest as refused:
            raise Skip(f"the backend does not follow it: {one_line(refused)}") from None
        return in_order(answers, len(requests))

    def compare(self, requests: Sequence[ScoreRequest], found: Sequence[Score], expected: Sequence[Score]) -> float:
        """The largest |Δ log p| between two answers to each request, in shares of what its length allows; `inf` for NaN."""
        pairs = zip(requests, found, expected, strict=True)
        return max(
            _apart(a.logprob, b.logprob) / self.allowed.of_sum(len(request.continuation)) for request, a, b in pairs
        )

    def same(
        self, requests: Sequence[ScoreRequest], found: Sequence[Score], expected: Sequence[Score], how: str
    ) -> float:
        """`compare`, and Fail where more is apart than rounding explains or a greedy flag turns without a near tie."""
        share = self.compare(requests, found, expected)
        if not share <= 1:
            worst = max(zip(found, expected, strict=True), key=lambda pair: _apart(pair[0].logprob, pair[1].logprob))
            raise Fail(
                f"the score of request {worst[0].index} {how}: {worst[0].logprob:.6g} against {worst[1].logprob:.6g}",
                share_of_allowed=share,
            )
        for request, a, b in zip(requests, found, expected, strict=True):
            if a.greedy != b.greedy and not self.near_tie(request):
                raise Fail(f"the greedy flag of request {a.index} {how}", share_of_allowed=share)
        return share

    def near_tie(self, request: ScoreRequest) -> bool:
        """Whether rounding may turn the greedy flag; True where there is no reference to tell."""
        try:
            rows = self.known.asked(request)
        except Skip:
            return True
        return any((row.behind or row.margin) <= self.allowed.tie for row in rows)


def in_order(answers: list[Answer], count: int) -> list[Answer]:
    """Answers by index. Fail where one is missing, twice there, or of no request."""
    by_index = {answer.index: answer for answer in answers}
    if len(answers) != count or set(by_index) != set(range(count)):
        lost = sorted(set(range(count)) - set(by_index))
        raise Fail(
            f"{count} requests were answered {len(answers)} times"
            + (f"; none is of request {lost[0]}" if lost else ""),
            requests=count,
            answers=len(answers),
        )
    return [by_index[index] for index in range(count)]


def _apart(a: float, b: float) -> float:
    apart = abs(a - b)
    return apart if apart == apart else float("inf")
