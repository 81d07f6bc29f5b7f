"""A prompt's log-probabilities out of a server's answer, in the two forms in which servers give them.

A row belongs to the token at its own place: entry 0 has none, entry i is log p(token i | tokens before it). Where an
answer says which token a row is of, that is checked; where it does not, `opening` has checked the alignment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

CLAMPED = -9999.0
"""What vLLM writes for -inf, which JSON does not have."""
BY_ID = "token_id:"


class Row(NamedTuple):
    """One token of a prompt: log p of it, and whether no other is more probable."""

    logprob: float
    best: bool


class NoRows(Exception):
    """The answer has no rows of the prompt, or not those of this prompt; the message says which."""


def by_prompt_logprobs(choice: Mapping[str, Any], tokens: Sequence[int]) -> list[Row | None]:
    """Rows of vLLM's `prompt_logprobs`: an object a token, by token id, with log p and rank. Raises NoRows."""
    entries = _counted(choice.get("prompt_logprobs"), tokens)
    found: list[Row | None] = [None]
    for place, (entry, token) in enumerate(zip(entries[1:], tokens[1:], strict=True), 1):
        own = entry.get(str(token)) if isinstance(entry, dict) else None
        rank = own.get("rank") if isinstance(own, dict) else None
        if own is None or not isinstance(rank, int):
            raise NoRows(f"row {place} is not of token {token}, which stands there in the prompt")
        found.append(Row(_number(own.get("logprob")), rank == 1))
    return found


def by_echo(choice: Mapping[str, Any], tokens: Sequence[int]) -> list[Row | None]:
    """Rows of `echo` with `logprobs: 1`: the prompt's and the new token's lists as one. Raises NoRows."""
    told = choice.get("logprobs")
    if not isinstance(told, dict):
        raise NoRows("the answer has no `logprobs`")
    values, tops, names = (told.get(name) for name in ("token_logprobs", "top_logprobs", "tokens"))
    if not isinstance(values, list) or not len(tokens) <= len(values) <= len(tokens) + 1:
        raise NoRows(f"{_length(values)} rows for a prompt of {len(tokens)} tokens")
    if not isinstance(tops, list) or len(tops) != len(values):
        raise NoRows("the answer does not say which tokens are the most probable")
    if isinstance(names, list) and any(str(name).startswith(BY_ID) for name in names):
        _check_names(names, tokens)
    found: list[Row | None] = [None]
    for value, top in zip(values[1 : len(tokens)], tops[1 : len(tokens)], strict=True):
        own = _number(value)
        others = [_number(each) for each in top.values()] if isinstance(top, dict) else []
        found.append(Row(own, bool(others) and own >= max(others)))
    return found


Form = Callable[[Mapping[str, Any], Sequence[int]], "list[Row | None]"]
FORMS: Mapping[str, tuple[Mapping[str, Any], Form]] = {
    "prompt_logprobs": ({"prompt_logprobs": 0}, by_prompt_logprobs),
    "echo": ({"echo": True, "logprobs": 1, "return_tokens_as_token_ids": True}, by_echo),
    "echo, plain": ({"echo": True, "logprobs": 1}, by_echo),
}
"""Form → the fields that ask for it, and how its answer is read; in the order in which they are tried."""


def _counted(entries: Any, tokens: Sequence[int]) -> list[Any]:
    if not isinstance(entries, list):
        raise NoRows("the answer has no `prompt_logprobs`")
    if len(entries) != len(tokens):
        raise NoRows(f"{len(entries)} rows for a prompt of {len(tokens)} tokens")
    return entries


def _check_names(names: Sequence[Any], tokens: Sequence[int]) -> None:
    for place, (name, token) in enumerate(zip(names, tokens, strict=False)):
        if name != f"{BY_ID}{token}":
            raise NoRows(f"row {place} is of {str(name)[:40]}, and token {token} stands there in the prompt")


def _number(value: Any) -> float:
    """A log-probability; -inf where the server could not write it, NaN for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return -math.inf if value <= CLAMPED else float(value)


def _length(values: Any) -> int:
    return len(values) if isinstance(values, list) else 0
