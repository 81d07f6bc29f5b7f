"""The prompts that score requests come to, and answers from what vLLM told of one. Knows no engine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wire import Refused, as_json

ENDS_AT_ONCE = 128
"""Last tokens of one prompt that vLLM tells the log-probability of together (its MAX_LOGPROB_TOKEN_IDS)."""


@dataclass
class Member:
    """A score request of the caller: where its continuation begins in the prompt, and its last token."""

    index: int
    begins: int
    last: int
    per_token: bool


@dataclass
class Asked:
    """The requests that one prompt answers."""

    tokens: tuple[int, ...]
    members: list[Member] = field(default_factory=list)

    @property
    def first(self) -> int | None:
        """The first token of the prompt whose log-probability is asked; None where none is inside it."""
        return min((m.begins for m in self.members if m.begins < len(self.tokens)), default=None)

    @property
    def ends(self) -> list[int]:
        """The different last tokens, in a fixed order."""
        return sorted({member.last for member in self.members})


def asked_prompts(requests: Sequence[Mapping[str, Any]]) -> list[Asked]:
    """The prompts of score requests in the order of their tokens, so that what shares a beginning stands together."""
    prompts: dict[tuple[int, ...], list[Member]] = {}
    for request in requests:
        context, continuation = tuple(request["context"]), tuple(request["continuation"])
        if not context or not continuation:
            raise Refused("input", "a score request needs at least one token of context and one of continuation")
        member = Member(request["index"], len(context), continuation[-1], bool(request.get("per_token")))
        prompts.setdefault((context + continuation)[:-1], []).append(member)
    return [part for tokens in sorted(prompts) for part in _parts(tokens, prompts[tokens])]


def _parts(tokens: tuple[int, ...], members: list[Member]) -> Iterator[Asked]:
    """One prompt's requests, in parts of as many different last tokens as vLLM tells of together."""
    ends = sorted({member.last for member in members})
    for start in range(0, len(ends), ENDS_AT_ONCE):
        chosen = set(ends[start : start + ENDS_AT_ONCE])
        yield Asked(tokens, [member for member in members if member.last in chosen])


def behind_cache(asked: Asked, cached: int) -> bool:
    """Whether every row that is asked was computed: the row before a token gives its log-probability."""
    return asked.first is None or cached < asked.first


def row_answers(asked: Asked, output: Any) -> Iterator[dict[str, Any]]:
    """Each request's answer from the rows of its prompt."""
    rows = prompt_rows(asked, output)
    ends = last_rows(asked, output)
    for member in asked.members:
        values = [*rows[member.begins :], ends[member.last]]
        yield answer_of(member, [logprob for logprob, _ in values], all(best for _, best in values))


def answer_of(member: Member, logprobs: Sequence[float], greedy: bool) -> dict[str, Any]:
    """A request's answer as the wire has it."""
    finite = all(map(math.isfinite, logprobs))
    return {
        "index": member.index,
        "logprob": math.fsum(logprobs) if finite else None,
        "finite": finite,
        "greedy": greedy,
        "token_logprobs": [as_json(logprob) for logprob in logprobs] if member.per_token else None,
    }


def prompt_rows(asked: Asked, output: Any) -> list[tuple[float, bool]]:
    """(log p, most probable) of each token of the prompt; entries before the first that is asked mean nothing.

    Refused where the rows do not stand for the tokens of the prompt: a missing or moved row would be another token's.
    """
    rows = [(0.0, False)] * len(asked.tokens)
    if asked.first is None:
        return rows
    flat = output.prompt_logprobs
    missing = len(asked.tokens) - (len(flat) if flat is not None else 0)
    if flat is None or missing not in (0, output.num_cached_tokens or 0):
        raise Refused(
            "engine", f"vLLM told {len(asked.tokens) - missing} rows of a prompt of {len(asked.tokens)} tokens"
        )
    for position in range(asked.first, len(asked.tokens)):
        start = flat.start_indices[position - missing]
        if flat.token_ids[start] != asked.tokens[position]:
            raise Refused("engine", f"vLLM's row {position} is not about the token that stands there")
        rows[position] = flat.logprobs[start], is_best(flat, start)
    return rows


def is_best(flat: Any, start: int) -> bool:
    """Whether a row's token is the most probable one; of equals the one with the lowest id, as argmax takes it.

    vLLM's rank counts the equals too, so a token that is first among them has not rank 1.
    """
    if flat.ranks[start] == 1:
        return True
    equal = flat.logprobs[start] == flat.logprobs[start + 1]
    return equal and flat.token_ids[start] <= flat.token_ids[start + 1]


def last_rows(asked: Asked, output: Any) -> dict[int, tuple[float, bool]]:
    """The last tokens → (log p, most probable), from the row of the token that vLLM generated."""
    flat = output.outputs[0].logprobs
    ends = asked.ends
    told = flat.token_ids[1 : len(ends) + 1]
    if len(flat) != 1 or told != ends:
        raise Refused("engine", "vLLM did not tell the log-probabilities of the ids that were asked")
    generated = output.outputs[0].token_ids[0]
    return {end: (flat.logprobs[at], end == generated) for at, end in enumerate(ends, 1)}
