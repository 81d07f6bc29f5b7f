"""The first documents of a task with what was asked, answered and right, read from a record's samples.parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from reports.cells import ABSENT, number, text
from reports.runs.texts import Excerpt, excerpt, first_words, last_words

SHOWN = 50
"""Documents a task, fewer where a page would be too long."""
OVERHEAD = 900
"""Bytes of a document's markup."""
CHOICES, ANSWERS = 20, 5
"""Shown of one document."""
PROMPT = (400, 1600)
TARGET = (500, 0)
ANSWER = (400, 200)
LINE, QUESTION = 110, 64
BATCH = 256
COLUMNS = (
    "doc_id", "metric", "filter", "value", "weight", "target", "responses", "filtered", "gold", "gold_logprob", "prompt",
    "choices",
)  # fmt: skip
NEEDED = {"doc_id", "metric", "filter", "value"}


@dataclass(frozen=True)
class Choice:
    """One of the answers that were to choose from."""

    text: Excerpt
    logprob: str
    likeliest: bool
    right: bool
    greedy: bool
    """Whether the model writes it by itself."""

    @property
    def cost(self) -> int:
        """Bytes on a page at most."""
        return self.text.cost + 150


@dataclass(frozen=True)
class Sample:
    """A document."""

    number: int
    question: str
    """The end of its prompt in a line."""
    said: str
    """What the model answered, in a line."""
    wanted: str
    """What was right, in a line; empty where that is what it said."""
    good: bool | None
    """Whether it was right by the task's first metric; None where that is no yes or no."""
    values: tuple[tuple[str, str], ...]
    """Each metric (with its filter) and what the document got."""
    prompt: Excerpt | None
    choices: tuple[Choice, ...]
    more_choices: int
    answers: tuple[Excerpt, ...]
    more_answers: int
    read: tuple[tuple[str, str], ...]
    """What each filter made of the first answer, where that is something else."""
    target: Excerpt
    logprob: str
    """Of a text that was scored and not chosen."""

    @property
    def cost(self) -> int:
        """Bytes on a page at most."""
        parts = [*self.choices, *self.answers, self.target, *([self.prompt] if self.prompt else [])]
        lines = [self.question, self.said, self.wanted, *(told for pair in (*self.values, *self.read) for told in pair)]
        return OVERHEAD + sum(part.cost for part in parts) + sum(Excerpt(line).cost for line in lines)


@dataclass(frozen=True)
class TaskSamples:
    """The first documents of a task."""

    samples: tuple[Sample, ...]
    documents: int
    """In all."""
    prompts: bool
    """Whether the file keeps what was asked."""


def read_samples(path: Path, room: int) -> TaskSamples | None:
    """The first documents of the file, as many as take at most so many bytes of a page (but one); None for no such file.

    Reads the file no further than they reach. ValueError (or Arrow's own, which is one) for a file that cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        with pq.ParquetFile(path) as file:
            there = [name for name in COLUMNS if name in file.schema_arrow.names]
            if not set(there) >= NEEDED:
                raise ValueError(f"it lacks {', '.join(sorted(NEEDED - set(there)))}")
            numbers: list[int | None] = file.read(["doc_id"]).column(0).to_pylist()
            order = [number for number in dict.fromkeys(numbers) if number is not None]
            rows = _rows_of(file, there, numbers, order[:SHOWN])
    except (OSError, pa.ArrowException) as error:
        raise ValueError(str(error)) from error
    samples: list[Sample] = []
    for doc_id in order[:SHOWN]:
        sample = sample_of(rows[doc_id])
        room -= sample.cost
        if samples and room < 0:
            break
        samples.append(sample)
    return TaskSamples(tuple(samples), len(order), any(sample.prompt for sample in samples))


def sample_of(rows: Sequence[Mapping[str, Any]]) -> Sample:
    """A document from its rows, one a metric and filter; columns beyond NEEDED may be absent."""
    first = rows[0]
    responses, target = _parsed(first.get("responses")), text(first.get("target"))
    scored = _scored(responses)
    generated = _generated(responses)
    gold: int | None = first.get("gold")
    texts = [text(choice) for choice in _parsed(first.get("choices"))]
    choices = _choices(scored, texts, gold) if len(scored) > 1 else []
    likeliest = next((place for place, choice in enumerate(choices) if choice.likeliest), None)
    prompt = first.get("prompt")
    wanted = _choice_text(texts, gold) if gold is not None and choices else first_words(target, LINE)
    said = _said(likeliest, texts, scored, generated)
    return Sample(
        number=int(first["doc_id"]),
        question=last_words(prompt, QUESTION) if prompt else "",
        said=said,
        wanted="" if wanted == said or (likeliest is not None and likeliest == gold) else wanted,
        good=_good(rows),
        values=tuple((_named(row), _value(row)) for row in rows),
        prompt=excerpt(prompt, *PROMPT) if prompt else None,
        choices=tuple(choices[:CHOICES]),
        more_choices=max(0, len(choices) - CHOICES),
        answers=tuple(excerpt(answer, *ANSWER) for answer in generated[:ANSWERS]),
        more_answers=max(0, len(generated) - ANSWERS),
        read=tuple(_read(rows, generated)),
        target=excerpt(target, *TARGET),
        logprob=_logprob(responses, scored),
    )


def _rows_of(
    file: Any, columns: Sequence[str], numbers: Sequence[int | None], wanted: Sequence[int]
) -> dict[int, list[dict[str, Any]]]:
    """The rows of these documents; stops behind the last of them, for prompts are long."""
    rows: dict[int, list[dict[str, Any]]] = {doc_id: [] for doc_id in wanted}
    last = max((place for place, doc_id in enumerate(numbers) if doc_id in rows), default=-1)
    place = 0
    for batch in file.iter_batches(BATCH, columns=list(columns)):
        if place > last:
            break
        for at in range(len(batch)):
            if numbers[place + at] in rows:
                (row,) = batch.slice(at, 1).to_pylist()
                rows[row["doc_id"]].append(row)
        place += len(batch)
    return rows


def _parsed(told: Any) -> list[Any]:
    """A column's JSON list; empty for anything else."""
    try:
        found: Any = json.loads(told) if isinstance(told, str) else None
    except (ValueError, RecursionError):
        return []
    return cast("list[Any]", found) if isinstance(found, list) else []


def _scored(responses: Iterable[Any]) -> list[tuple[float, bool]]:
    """(Σ log p, whether greedy) of each request, of a task whose requests are scored; empty for any other."""
    found: list[tuple[float, bool]] = []
    for response in responses:
        answer: Any = cast("list[Any]", response)[0] if isinstance(response, list) and response else None
        pair = cast("list[Any]", answer) if isinstance(answer, list) else []
        if len(pair) != 2 or not _is_number(pair[0]) or not isinstance(pair[1], bool):
            return []
        found.append((float(pair[0]), pair[1]))
    return found


def _generated(responses: Iterable[Any]) -> list[str]:
    """Every text that the model wrote; empty for a task that is scored."""
    every = [answer for each in responses if isinstance(each, list) for answer in cast("list[Any]", each)]
    return cast("list[str]", every) if all(isinstance(answer, str) for answer in every) else []


def _choices(scored: Sequence[tuple[float, bool]], texts: Sequence[str], gold: int | None) -> list[Choice]:
    """Each choice with its log-probability; requests beyond the choices (asked without a context) are left out."""
    scored = scored[: len(texts)] if texts else scored
    best = max(range(len(scored)), key=lambda place: scored[place][0])
    return [
        Choice(excerpt(_choice_text(texts, place), *ANSWER), f"{logprob:.2f}", place == best, place == gold, greedy)
        for place, (logprob, greedy) in enumerate(scored)
    ]


def _choice_text(texts: Sequence[str], place: int) -> str:
    return texts[place].strip() if place < len(texts) else f"choice {place + 1}"


def _said(
    likeliest: int | None, texts: Sequence[str], scored: Sequence[tuple[float, bool]], generated: Sequence[str]
) -> str:
    if likeliest is not None:
        return first_words(_choice_text(texts, likeliest), LINE)
    if generated:
        return first_words(generated[0], LINE) or "nothing"
    return f"log p {scored[0][0]:.2f}" if scored else ""


def _logprob(responses: Sequence[Any], scored: Sequence[tuple[float, bool]]) -> str:
    """Of the one text that was scored, alone or window by window."""
    if len(scored) == 1:
        return f"{scored[0][0]:.2f}{', written by greedy decoding' if scored[0][1] else ''}"
    if len(responses) == 1 and isinstance(responses[0], list) and len(cast("list[Any]", responses[0])) == 1:
        (answer,) = cast("list[Any]", responses[0])
        return f"{answer:.2f}" if _is_number(answer) else ""
    return ""


def _good(rows: Sequence[Mapping[str, Any]]) -> bool | None:
    value = rows[0]["value"]
    return bool(value) if value in (0, 1) and rows[0].get("weight") is None else None


def _named(row: Mapping[str, Any]) -> str:
    name = text(row["metric"])
    return name if row["filter"] == "none" else f"{name} ({text(row['filter'])})"


def _value(row: Mapping[str, Any]) -> str:
    value = row["value"]
    if value is None:
        return ABSENT
    weight = row.get("weight")
    told = f"{value:.0f}" if value in (0, 1) else number(value)
    return told if weight is None else f"{told} over {weight:,.0f}"


def _read(rows: Sequence[Mapping[str, Any]], generated: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(Filter, what it read) for each filter that made another text of the answer."""
    seen: set[str] = set()
    for row in rows:
        name, made = text(row["filter"]), _parsed(row.get("filtered"))
        if name in seen or not generated or not made:
            continue
        seen.add(name)
        if isinstance(made[0], str) and made[0] != generated[0]:
            yield name, first_words(made[0], LINE)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
