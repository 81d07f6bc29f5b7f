"""What the invented models answer: outcomes of documents that all models share, and the scores and samples of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from harness.records.columns import arrow_schema
from harness.records.files import SAMPLE_COLUMNS
from harness.records.record import MetricScore
from harness.stats.sufficient import MeanStatistics, StrataStatistics, Stratum
from harness.suites.suite import load_suite

COLUMNS = {**SAMPLE_COLUMNS, "prompt": "VARCHAR"}
"""Columns of the samples files written here."""
SUBJECTS = ("mmlu_anatomy", "mmlu_astronomy", "mmlu_virology")
"""What the group `mmlu` consists of here, instead of its 57 subjects."""
REAL = {"rougeL": 0.0, "bits_per_byte": None}
"""Metrics that are neither 0 nor 1 of a document, with what guessing scores."""
CHANCE = {"winogrande": 0.5, "truthfulqa_mc2": None, "nano_words": 0.5}
CHOICES = ("acc", "acc_norm")
NANO = {"nano_sums": "exact_match", "nano_code": "pass@1", "nano_prose": "bits_per_byte"}
HOSTILE_TEXT = "</script><img src=x onerror=alert(1)> \u202e\u05e9\u05dc\u05d5\u05dd & \u2028 \ufffd"


@dataclass(frozen=True)
class Task:
    """A task as it is measured here."""

    name: str
    suite: str
    metric: str
    filter: str
    shots: int | None
    members: tuple[str, ...] = ()
    """The leaf tasks of a group."""

    @property
    def chance(self) -> float | None:
        """What guessing scores; None where that means nothing."""
        if self.metric in REAL:
            return REAL[self.metric]
        return CHANCE.get(self.name, 0.25 if self.metric in CHOICES else 0.0)

    @property
    def binary(self) -> bool:
        """Whether a document's value is 0 or 1."""
        return self.metric not in REAL


def tasks(count: int) -> list[Task]:
    """That many tasks: those of the shipped suites for base models, then invented ones."""
    found: list[Task] = []
    for suite in ("paper", "nano"):
        for entry in load_suite(suite).tasks:
            metric = entry.metric or NANO.get(entry.task, "acc")
            members = SUBJECTS if entry.task == "mmlu" else ()
            found.append(Task(entry.task, suite, metric, entry.filter or "none", entry.shots, members))
    invented = (Task(f"invented_{n:02d}", "custom", CHOICES[n % 2], "none", n % 6) for n in range(count))
    return [*found, *invented][:count]


@dataclass(frozen=True)
class Answered:
    """A task's values, a document each."""

    task: Task
    values: Any
    """Float array; NaN where a metric does not count a document."""
    total: int
    """Documents of the whole task."""

    def score(self) -> MetricScore:
        """The mean with what its error is derived from."""
        mean, count = float(self.values.mean()), len(self.values)
        statistics = MeanStatistics(
            squares=float(((self.values - mean) ** 2).sum()), units=count, binary=self.task.binary,
            unit_interval=self.task.metric != "bits_per_byte",
        )  # fmt: skip
        return _score(self.task, mean, count, self.total, statistics)


def answered(
    seed: int, model: int, ability: float, task: Task, documents: int, limit: int | None, night: int
) -> Answered:
    """The values of a model's run. Another night changes one document in a hundred; other models share the documents."""
    difficulty = _difficulty(seed, task.name, documents)
    own = np.random.default_rng([seed, model, _number(task.name)]).normal(0.0, 0.6, documents)
    margin = ability + own - difficulty
    if task.binary:
        luck = np.random.default_rng([seed, model, _number(task.name), 1]).random(documents)
        values = ((margin > 0) | (luck < (task.chance or 0.0))).astype(float)
        again = np.random.default_rng([seed, model, _number(task.name), 2, night]).random(documents) < 0.01
        values = np.where(again, 1.0 - values, values)
    else:
        steep = 1.0 / (1.0 + np.exp(-margin))
        values = steep * 0.4 if task.metric == "rougeL" else 2.0 - steep
    return Answered(task, values[: limit or documents], documents)


def group_score(task: Task, parts: Sequence[Answered]) -> MetricScore:
    """The score of a group: its parts by their documents."""
    count = sum(len(part.values) for part in parts)
    scores = [(part, part.score()) for part in parts]
    strata = tuple(
        Stratum(
            weight=score.n / count, value=score.value or 0.0, n=score.n, total=part.total,
            statistics=score.statistics,  # pyright: ignore[reportArgumentType] -- of a leaf task
        )
        for part, score in scores
    )  # fmt: skip
    mean = sum(stratum.weight * stratum.value for stratum in strata)
    total = sum(part.total for part in parts)
    return _score(task, mean, count, total, StrataStatistics(strata=strata, unit_interval=True))


def samples(answers: Answered, hostile: bool) -> Any:
    """The Arrow table of the samples file."""
    import pyarrow as pa

    documents, count = _documents(answers.task.name, answers.total, hostile), len(answers.values)
    choices = answers.task.metric in CHOICES
    columns = {name: values[:count] for name, values in documents.items()}
    columns["value"] = answers.values
    said = [_said(value > 0.5, choices) for value in answers.values.tolist()]
    columns["responses"], columns["filtered"] = [each[0] for each in said], [each[1] for each in said]
    columns["gold"] = [1 if choices else None] * count
    columns["gold_logprob"] = np.round(-1.0 - 2.0 * (1.0 - answers.values), 3) if choices else [None] * count
    columns |= {"metric": [answers.task.metric] * count, "filter": [answers.task.filter] * count}
    columns |= {"weight": [None] * count, "cluster": [None] * count}
    return pa.table({name: columns[name] for name in COLUMNS}, schema=arrow_schema(COLUMNS))


@cache
def _documents(task: str, count: int, hostile: bool) -> dict[str, list[Any]]:
    """What the samples of every model have in common."""
    numbers = range(count)
    text = HOSTILE_TEXT if hostile else "What follows from the paragraph above?"
    prompts = [f"Passage {n} of {task}.\n\nQuestion: {text}\nAnswer:" for n in numbers]
    return {
        "doc_id": list(numbers), "doc_hash": [_hash(f"{task}/{n}") for n in numbers], "occurrence": [0] * count,
        "request_hash": [_hash(prompt) for prompt in prompts], "prompt_hash": [_hash(prompt) for prompt in prompts],
        "target": [HOSTILE_TEXT if hostile and n % 7 == 0 else f"answer {n}" for n in numbers],
        "length": [len(prompt) for prompt in prompts], "prompt": prompts,
    }  # fmt: skip


@cache
def _said(right: bool, choices: bool) -> tuple[str, str]:
    """What the model answered and what the filter kept: log-probabilities of two choices, the second right, or a text."""
    if not choices:
        text = "the right answer" if right else "another answer"
        return json.dumps([[text]]), json.dumps([text])
    pairs = [[-3.25, False], [-1.0, True]] if right else [[-1.0, True], [-3.0, False]]
    return json.dumps([[pair] for pair in pairs]), json.dumps(pairs)


@cache
def _difficulty(seed: int, task: str, documents: int) -> Any:
    return np.random.default_rng([seed, _number(task), 9]).normal(0.4, 1.0, documents)


def _score(task: Task, value: float, count: int, total: int, statistics: Any) -> MetricScore:
    better = task.metric != "bits_per_byte"
    return MetricScore(
        metric=task.metric, filter=task.filter, value=value, n=count, higher_is_better=better, chance=task.chance, total=total,
        statistics=statistics,
    )  # fmt: skip


def _number(text: str) -> int:
    return int(_hash(text)[:8], 16)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
