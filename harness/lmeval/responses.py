"""Answers of a backend, as they are kept, and as lm-eval's instances want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backends.contract import Generation, Score, ScoreRequest, Tokenizer
from harness.accuracy.plan import TaskPlan
from harness.lmeval.encoding import Unit, window_of

Answer = dict[str, Any]
"""`{"logprob", "greedy"}` of a score, `{"text", "tokens"}` of a generation: plain JSON, exact when read back."""


def answer_of(result: Score | Generation, tokenizer: Tokenizer) -> Answer:
    """What is kept of a backend's result."""
    if isinstance(result, Score):
        return {"logprob": result.logprob, "greedy": result.greedy}
    return {"text": tokenizer.decode(result.tokens), "tokens": len(result.tokens)}


def fill_responses(plan: TaskPlan, answers: Mapping[str, Answer]) -> None:
    """Give each of the task's instances its responses, in the form in which lm-eval's models return them."""
    parts: dict[tuple[str, int, int], list[tuple[Unit, Answer]]] = {}
    for unit in plan.units:
        name, doc_id, index, _ = unit.key.rsplit("/", 3)
        parts.setdefault((name, int(doc_id), int(index)), []).append((unit, answers[unit.key]))
    for name, document in ((name, document) for name, documents in plan.sets.items() for document in documents):
        for instance in document.instances:
            mine = parts.get((name, document.doc_id, instance.idx), [])
            instance.resps = _responses(instance.request_type, mine, window_of(plan.loaded) is not None)


def clear_responses(plan: TaskPlan) -> None:
    """Forget the responses: a long suite keeps only what is still to come."""
    for document in (document for documents in plan.sets.values() for document in documents):
        for instance in document.instances:
            instance.resps, instance.filtered_resps = [], {}


def _responses(kind: str, mine: list[tuple[Unit, Answer]], windows: bool) -> list[Any]:
    if kind == "loglikelihood":
        return [(mine[0][1]["logprob"], mine[0][1]["greedy"])]
    if kind == "loglikelihood_rolling" and windows:
        return [[(answer["logprob"], _predicted(unit)) for unit, answer in mine]]
    if kind == "loglikelihood_rolling":
        return [sum(answer["logprob"] for _, answer in mine)]
    return [cut_at_stops(answer["text"], getattr(unit.request, "stop", ())) for unit, answer in mine]


def _predicted(unit: Unit) -> int:
    assert isinstance(unit.request, ScoreRequest)
    return len(unit.request.continuation)


def cut_at_stops(text: str, stops: Sequence[str]) -> str:
    """Cut at the first of each stop string, as lm-eval does after a generation."""
    for stop in stops:
        if stop:
            text = text.split(stop)[0]
    return text
