"""Requests and answers of the contract as JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.contract import GenerateRequest, Generation, Score, ScoreRequest, StreamRequest
from backends.workers.served.wire import from_json

Request = ScoreRequest | GenerateRequest


def request_as_json(index: int, request: Request | StreamRequest) -> dict[str, Any]:
    """The fields of a request under their names, with its place in the call as `index`."""
    return {**{name: getattr(request, name) for name in request.__dataclass_fields__}, "index": index}


def score_of(answer: Mapping[str, Any]) -> Score:
    """The score that a worker answered; KeyError, TypeError and ValueError where it is none."""
    told = answer["token_logprobs"]
    per_token = None if told is None else tuple(map(from_json, told))
    return Score(_index(answer), from_json(answer["logprob"]), bool(answer["greedy"]), per_token)


def generation_of(answer: Mapping[str, Any]) -> Generation:
    """The generation that a worker answered; KeyError, TypeError and ValueError where it is none."""
    if answer["finish"] not in ("stop", "length"):
        raise ValueError(f"a text cannot end by {answer['finish']!r}")
    times = answer.get("times")
    return Generation(
        _index(answer),
        tuple(map(int, answer["tokens"])),
        answer["finish"],
        None if times is None else tuple(map(float, times)),
        bool(answer.get("finite", True)),
    )


def _index(answer: Mapping[str, Any]) -> int:
    index = answer["index"]
    if not isinstance(index, int):
        raise TypeError("an answer has the number of its request")
    return index
