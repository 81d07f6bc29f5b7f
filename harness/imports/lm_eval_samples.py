"""lm-eval's samples files: what a model answered to each document, beside the results file of the same run.

A line a document and filter, with the requests as `{"gen_args_0": {"arg_0": …}}` (0.4.3 and later); before, one list of them
all with the requests as lists, and no hashes. A row names its filter and its metrics since 0.4.7.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from harness.imports.drafts import LARGEST, NOT_STORED, one_line
from harness.imports.run_files import AGAIN, Kept, kept_of, raw_rows
from harness.records.asked import asked
from harness.records.gold import Answered, Gold, golds_of
from zoo.errors import FileMissing, InvalidImport

NOT_JUDGED = "bypass"
"""lm-eval's metric of answers that nobody judged, for which it prints 999."""
MOST = 1e300
"""Of a score: a perplexity can be very large, and its interval must still be a number."""
Key = tuple[str, str]
"""A metric and a filter."""


@dataclass(frozen=True)
class Row:
    """What a filter made of the answers to one document."""

    doc_id: int
    filter: str
    doc_hash: str
    request_hash: str
    prompt_hash: str
    values: Mapping[str, Any]
    """By metric, as lm-eval aggregates them."""
    cluster: str | None
    """What the document has in the column that was asked for; None where it has none."""
    target: str
    responses: str
    filtered: str
    endings: tuple[str, ...]
    length: int
    texts: Mapping[str, str | None]
    """What its requests say, as `asked` tells it."""
    kept: Kept | None = None


@dataclass(frozen=True)
class SamplesFile:
    """A samples file, read and checked by itself."""

    path: Path
    sha256: str
    rows: dict[str, list[Row]]
    """Filter → a row a document, in the order of the data set."""
    whole: str | None
    """lm-eval's hash of all of it, as the results file's `task_hashes` has it; None where rows lack hashes."""

    @property
    def documents(self) -> int:
        """How many documents were run."""
        return len(next(iter(self.rows.values())))

    def check(self, task: str, told: str | None, effective: int | None) -> None:
        """Raise InvalidImport where the results file is of others: `told` is its hash of them, `effective` their number."""
        if told is not None and self.whole is not None:
            if told != self.whole:
                raise self.of_another_run(f"the results file's task_hashes are of other documents or prompts of {task}")
        elif effective is not None and effective != self.documents:
            raise self.of_another_run(
                f"it holds {self.documents:,} documents of {task}, the results file {effective:,}"
            )

    def of_another_run(self, why: str) -> InvalidImport:
        """The samples are not those of the results file."""
        return InvalidImport(
            f"{self.path} and its results file are not of one run, or it is not whole: {one_line(why)}.",
            f"{NOT_STORED} Give the two files as lm-eval wrote them.",
        )

    def as_samples(self) -> list[dict[str, Any]]:
        """A row a document, metric and filter, as records keep them."""
        return [sample for rows in self.rows.values() for sample in _samples(rows)]


def read_samples(path: Path, metrics: list[Key], column: str | None) -> SamplesFile:
    """Read a samples file of a task that has those metrics and filters, by the results file, in its order.

    InvalidImport for what is no samples file of them or is not whole, FileMissing for what cannot be read.
    """
    reading = _Reading(path, metrics, column)
    try:
        for where, raw in raw_rows(path, reading.digest):
            reading.take(where, raw)
    except OSError as error:
        raise FileMissing(f"{path} cannot be read ({error.strerror or error}).", "Give a file of lm-eval.") from None
    return reading.file()


@dataclass
class _Reading:
    path: Path
    metrics: list[Key]
    column: str | None
    digest: Any = field(default_factory=hashlib.sha256)
    rows: dict[str, dict[int, Row]] = field(default_factory=dict[str, dict[int, Row]])
    places: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])
    hashes: Any = field(default_factory=hashlib.sha256)
    hashed: bool = True

    def take(self, where: str, raw: Mapping[str, Any]) -> None:
        """Check one row of the file, and keep what is used of it."""
        doc_id = raw.get("doc_id")
        if isinstance(doc_id, bool) or not isinstance(doc_id, int) or not 0 <= doc_id < LARGEST:
            raise self.bad(where, f"its doc_id is {doc_id!r:.40}, which is no place in a data set")
        name = self._filter(where, raw, doc_id)
        if before := self.places.get((name, doc_id)):
            raise self.bad(where, f"document {doc_id} stands there once more (first in {before})")
        self.places[name, doc_id] = where
        kept = kept_of(self.path, where, raw)
        requests = self._requests(where, raw, kept)
        self._hash(raw)
        self.rows.setdefault(name, {})[doc_id] = Row(
            doc_id,
            name,
            self._doc_hash(where, raw),
            kept.request_hash if kept else _sha256(json.dumps(requests, ensure_ascii=False)),
            str(raw.get("prompt_hash") or _sha256(str(requests[0][0]))),
            self._values(where, raw, name),
            self._cluster(raw.get("doc")),
            str(raw.get("target")),
            _answers(raw.get("resps"), requests),
            _answers(raw.get("filtered_resps"), requests),
            _endings(requests),
            max(sum(len(part) for part in request if isinstance(part, str)) for request in requests),
            asked(requests) if isinstance(requests[0][0], str) else {},
            kept,
        )

    def file(self) -> SamplesFile:
        """What was read. InvalidImport where it is nothing, or its filters are not of the same documents."""
        if not self.rows:
            raise InvalidImport(f"{self.path} is empty.", AGAIN)
        if len({frozenset(rows) for rows in self.rows.values()}) > 1:
            told = ", ".join(f"{name} {len(rows):,}" for name, rows in self.rows.items())
            raise InvalidImport(f"{self.path} is not whole: its filters are of unlike documents ({told}).", AGAIN)
        rows = {name: [found[doc_id] for doc_id in sorted(found)] for name, found in self.rows.items()}
        return SamplesFile(self.path, self.digest.hexdigest(), rows, self.hashes.hexdigest() if self.hashed else None)

    def bad(self, where: str, why: str) -> InvalidImport:
        """That row cannot be taken."""
        return InvalidImport(f"{self.path}, {where}: {one_line(why)}.", AGAIN)

    def _filter(self, where: str, raw: Mapping[str, Any], doc_id: int) -> str:
        """The row's filter: before 0.4.7 rows name none, and those of the first filter come first."""
        names = list(dict.fromkeys(name for _, name in self.metrics))
        told = raw.get("filter")
        if told is None:
            return next((name for name in names if (name, doc_id) not in self.places), names[-1])
        if told not in names:
            raise self.bad(where, f"its filter is {told!r:.40}, of which the results file has no score")
        return str(told)

    def _values(self, where: str, raw: Mapping[str, Any], name: str) -> dict[str, Any]:
        wanted = [metric for metric, own in self.metrics if own == name]
        values = {metric: raw[metric] for metric in wanted if metric in raw}
        if NOT_JUDGED in raw and not values:
            raise self.bad(where, "its answers were not judged (--predict_only)")
        for metric, value in values.items():
            if not all(abs(number) < MOST for number in _numbers(value)):
                raise self.bad(where, f"its {metric} is {value!r:.40}, which is no number")
        return values

    def _requests(self, where: str, raw: Mapping[str, Any], kept: Kept | None) -> list[list[Any]]:
        """Each request's arguments, in lm-eval's order. None stands for what a record did not keep."""
        given: Any = raw.get("arguments")
        if isinstance(given, dict):
            numbered = cast("dict[str, Any]", given)
            given = [_in_order(numbered[key]) for key in sorted(numbered, key=_number_of)]
        requests = cast("list[Any]", given) if isinstance(given, list) else []
        text = (str, type(None)) if kept else str
        if not requests or not all(isinstance(each, list) and each and isinstance(each[0], text) for each in requests):
            raise self.bad(where, "it has no arguments, so nothing tells what the model was asked")
        return requests

    def _doc_hash(self, where: str, raw: Mapping[str, Any]) -> str:
        """lm-eval's own: sha256 of the document as indented JSON."""
        if raw.get("doc_hash"):
            return str(raw["doc_hash"])
        if "doc" not in raw:
            raise self.bad(where, "it has neither doc nor doc_hash, so nothing tells which document it is of")
        return _sha256(json.dumps(raw["doc"], indent=2, ensure_ascii=False))

    def _cluster(self, doc: Any) -> str | None:
        document = cast("dict[str, Any]", doc) if isinstance(doc, dict) else {}
        return str(document[self.column]) if self.column in document else None

    def _hash(self, raw: Mapping[str, Any]) -> None:
        parts = [raw.get(name) for name in ("doc_hash", "prompt_hash", "target_hash")]
        self.hashed = self.hashed and all(isinstance(part, str) for part in parts)
        self.hashes.update("".join(map(str, parts)).encode())


def _in_order(arguments: Any) -> list[Any]:
    numbered = cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}
    return [numbered[key] for key in sorted(numbered, key=_number_of)]


def _number_of(key: str) -> int:
    number = key.rpartition("_")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else LARGEST


def _samples(rows: list[Row]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    golds = golds_of([Answered(row.target, row.responses, row.values.get("acc"), row.endings) for row in rows])
    for row, told in zip(rows, golds, strict=True):
        gold = Gold(row.kept.gold, row.kept.gold_logprob) if row.kept else told
        occurrence = row.kept.occurrence if row.kept else seen[row.doc_hash]
        seen[row.doc_hash] += 1
        for metric, value in row.values.items():
            number, weight = value if _is_pair(value) else (value, None)
            yield {
                "doc_id": row.doc_id,
                "doc_hash": row.doc_hash,
                "occurrence": occurrence,
                "request_hash": row.request_hash,
                "prompt_hash": row.prompt_hash,
                "metric": metric,
                "filter": row.filter,
                "value": float(number) if isinstance(number, int | float) else None,
                "weight": None if weight is None else float(weight),
                "target": row.target,
                "responses": row.responses,
                "filtered": row.filtered,
                "cluster": row.cluster,
                "gold": gold.place,
                "gold_logprob": gold.logprob,
                "length": row.kept.length if row.kept else row.length,
                **row.texts,
            }


def _endings(requests: list[list[Any]]) -> tuple[str, ...]:
    """The text of each request whose log-likelihood was asked for."""
    return tuple(request[1] for request in requests if len(request) > 1 and isinstance(request[1], str))


def _numbers(value: Any) -> list[float]:
    """A value that is a number, or the numbers of a pair; NaN, which a mean may leave out, is left out."""
    parts = cast("list[Any]", value) if _is_pair(value) else [value]
    return [part for part in parts if isinstance(part, int | float) and part == part]


def _is_pair(value: Any) -> bool:
    """Whether it is a (log-likelihood, weight), which JSON writes as a list; a list of truths is none."""
    parts = cast("list[Any]", value) if isinstance(value, list) else []
    return len(parts) == 2 and all(isinstance(part, int | float) and not isinstance(part, bool) for part in parts)


def _answers(answers: Any, requests: list[list[Any]]) -> str:
    """The answers as JSON, log-likelihoods as numbers again: since 0.4.3 lm-eval writes every part of an answer as text."""
    generated = len(requests[0]) > 1 and not isinstance(requests[0][1], str)
    return json.dumps(answers if generated else _as_numbers(answers), ensure_ascii=False)


def _as_numbers(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_as_numbers(part) for part in cast("list[Any]", answer)]
    if answer in ("True", "False"):
        return answer == "True"
    try:
        return float(answer) if isinstance(answer, str) else answer
    except ValueError:
        return answer


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
