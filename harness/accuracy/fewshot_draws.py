"""Further draws of few-shot examples, to see how far a score moves with them: `--fewshot-seeds N`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.lmeval.encoding import Encoder, Unit
from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import FEWSHOT_SEED, Chat, Document, build_documents
from harness.records.record import MetricScore


@dataclass(frozen=True)
class Draw:
    """The task's chosen documents with the examples of another seed, and the work they are."""

    seed: int
    documents: list[Document]
    units: list[Unit]
    """Units of the task itself, under keys of the draw's own."""


def make_draws(
    loaded: LoadedTask, documents: Sequence[Document], encoder: Encoder, seeds: int, chat: Chat | None = None
) -> Iterator[Draw]:
    """The draws beyond lm-eval's own, `seeds` − 1 of them; none where the examples are not drawn (no shots, or always the
    first ones), which is seen by the requests not changing with the seed."""
    for seed in range(FEWSHOT_SEED + 1, FEWSHOT_SEED + seeds) if loaded.shots else ():
        drawn, _ = build_documents(loaded, seed, chat)
        if [document.request_hash for document in drawn] == [document.request_hash for document in documents]:
            return
        units = encoder.units(replace(loaded, name=draw_name(loaded.name, seed)), drawn)
        yield Draw(seed, drawn, [replace(unit, task=loaded.name) for unit in units])


def draw_name(task: str, seed: int) -> str:
    """The task of a draw's unit keys."""
    return f"{task}@{seed}"


def with_draws(scores: Sequence[MetricScore], drawn: Sequence[Sequence[MetricScore]]) -> list[MetricScore]:
    """The task's numbers, each with its value in every draw; as they are where there was one draw only."""
    values: list[Mapping[tuple[str, str], float | None]] = [
        {(score.metric, score.filter): score.value for score in listed} for listed in (scores, *drawn)
    ]
    return [_with(score, [known.get((score.metric, score.filter)) for known in values]) for score in scores]


def _with(score: MetricScore, values: Sequence[float | None]) -> MetricScore:
    known = tuple(value for value in values if value is not None)
    return score.model_copy(update={"draws": known}) if len(known) > 1 else score
