"""Answers of a backend, as they are kept, and as lm-eval's instances want them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backends.contract import Generation, Score, ScoreRequest, Tokenizer
from harness.lmeval.encoding import Unit, UnitKey
from harness.lmeval.prompts import Document

Answer = dict[str, Any]
"""`{"logprob", "greedy"}` of a score, `{"text", "tokens"}` of a generation: plain JSON, exact when read back."""


def answer_of(result: Score | Generation, tokenizer: Tokenizer) -> Answer:
    """What is kept of a backend's result."""
    if isinstance(result, Score):
        return {"logprob": result.logprob, "greedy": result.greedy}
    return {"text": tokenizer.decode(result.tokens), "tokens": len(result.tokens)}


def fill_responses(
    documents: Mapping[str, Sequence[Document]],
    units: Iterable[Unit],
    answers: Mapping[UnitKey, Answer],
    windowed: bool = False,
) -> None:
    """Give each instance its responses (`resps`), in the form in which lm-eval's models return them.

    `documents` by the task of their units' keys: a further few-shot draw has documents of its own. `windowed`: a rolling
    request's windows are observations each, not summed.
    """
    parts: dict[tuple[str, int, int], list[tuple[Unit, Answer]]] = {}
    for unit in units:
        place = (unit.key.task, unit.key.doc_id, unit.key.request)
        parts.setdefault(place, []).append((unit, answers[unit.key]))
    for task, listed in documents.items():
        for document in listed:
            for place, instance in enumerate(document.instances):
                answered = parts.get((task, document.doc_id, place), [])
                instance.resps = _responses(instance, answered, windowed)


def clear_responses(documents: Iterable[Document]) -> None:
    """Forget the responses: a long suite keeps only what is still to come."""
    for document in documents:
        for instance in document.instances:
            instance.resps, instance.filtered_resps = [], {}


def _responses(instance: Any, answered: Sequence[tuple[Unit, Answer]], windowed: bool) -> list[Any]:
    """A response a repeat: each generation is one of its own, a score is computed once and is the same every time."""
    if instance.request_type == "generate_until":
        return [cut_at_stops(answer["text"], getattr(unit.request, "stop", ())) for unit, answer in answered]
    return [_scored(instance.request_type, answered, windowed)] * (instance.repeats or 1)


def _scored(kind: str, answered: Sequence[tuple[Unit, Answer]], windowed: bool) -> Any:
    if kind == "loglikelihood":
        return answered[0][1]["logprob"], answered[0][1]["greedy"]
    if windowed:
        return [(answer["logprob"], _scored_tokens(unit)) for unit, answer in answered]
    return sum(answer["logprob"] for _, answer in answered)


def _scored_tokens(unit: Unit) -> int:
    assert isinstance(unit.request, ScoreRequest)
    return len(unit.request.continuation)


def cut_at_stops(text: str, stops: Sequence[str]) -> str:
    """Cut at the first of each stop string, as lm-eval does after a generation."""
    for stop in stops:
        if stop:
            text = text.split(stop)[0]
    return text
