"""The requests of a document as lm-eval made them, from what its samples keep: the prompt, the choices, and a digest of all.

A sample has the text of the first request and the texts to choose from. How lm-eval joins them is the same for most tasks, and
`request_hash` (over every request) tells whether a way of joining is right: what it confirms is exact, letter by letter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Request = list[Any]
"""Context and ending; of a rolling request the text alone; of a generating one the prompt and its settings."""


@dataclass(frozen=True)
class Asked:
    """The requests of a document."""

    requests: tuple[Request, ...]
    exact: bool
    """Whether they are what was asked, in full. Else what is not known is None."""


def asked(row: Mapping[str, Any], answers: list[Any], settings: Mapping[str, Any]) -> Asked:
    """The requests behind a row of samples, of which `answers` are the answers; `settings` of a task that generates.

    The settings of a generation are not kept whole, so that its requests are never exact.
    """
    for made in _possible(row, len(answers)):
        if _digest(made) == row["request_hash"]:
            return Asked(tuple(made), True)
    prompt, choices = row.get("prompt"), _choices(row)
    if answers and _generated(answers[0]):
        return Asked(tuple([prompt if at == 0 else None, dict(settings)] for at in range(len(answers))), False)
    known: list[Request] = [[prompt if at == 0 else None] for at in range(max(1, len(answers)))]
    for request, choice in zip(known, choices, strict=False):
        request.append(choice)
    return Asked(tuple(known), False)


def _possible(row: Mapping[str, Any], count: int) -> Iterator[list[Request]]:
    """The ways in which lm-eval makes requests of a prompt: rolling, one ending, choices after one context (asked without it
    as well for acc_mutual_info), and contexts that differ before one ending."""
    prompt, choices, target = row.get("prompt"), _choices(row), row.get("target")
    if not isinstance(prompt, str):
        return
    if count == 1:
        yield [[prompt]]
        for between in ("", " "):
            yield [[prompt, f"{between}{target}"]]
        return
    listed = [[prompt, choice] for choice in choices]
    yield listed
    yield listed + [["", choice] for choice in choices]
    yield listed + [["", choice.removeprefix(" ")] for choice in choices]
    if choices and prompt.endswith(choices[0]):
        before = prompt.removesuffix(choices[0])
        for between in ("", " "):
            yield [[before + choice, f"{between}{target}"] for choice in choices]


def _choices(row: Mapping[str, Any]) -> list[str]:
    told = row.get("choices")
    return [str(choice) for choice in json.loads(told)] if told else []


def _digest(requests: list[Request]) -> str:
    """As samples have it: sha256 over the JSON of every request."""
    return hashlib.sha256(json.dumps(requests, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _generated(answer: Any) -> bool:
    """Whether the answers to a request are texts: log-likelihoods are numbers, or pairs of one and a truth."""
    return isinstance(answer, list) and bool(answer) and isinstance(answer[0], str)
