"""lm-eval's samples files: a line a document and filter, from the samples of a record."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.exports.arguments import Request, asked
from harness.exports.chosen import Chosen
from harness.metrics.task_metadata import metadata_of
from zoo.errors import InvalidFile, one_line

BATCH = 4096
"""Rows that are in memory at once."""
OWN = "minizoo"
"""Where a line keeps what lm-eval has no word for."""
OWN_COLUMNS = ("request_hash", "occurrence", "gold", "gold_logprob", "length")


class Samples:
    """The lines of one record's samples, made as they are read, and lm-eval's hash over them, known when they are all read."""

    def __init__(self, chosen: Chosen) -> None:
        self._path: Path = chosen.samples
        self._cluster = metadata_of(chosen.record.task).cluster
        self._settings = settings_of(chosen)
        self._hashes = hashlib.sha256()
        self._lines: Counter[str] = Counter()
        self.output_type: str | None = None
        """lm-eval's word for the kind of task, as its answers tell it."""
        self.exact = True
        """Whether the requests of every line are in it as they were asked."""

    @property
    def task_hash(self) -> str:
        """As the results file's `task_hashes` has it."""
        return self._hashes.hexdigest()

    @property
    def documents(self) -> int:
        """How many documents each filter has a line of; 0 where filters have different ones."""
        counts = set(self._lines.values())
        return counts.pop() if len(counts) == 1 else 0

    def lines(self) -> Iterator[bytes]:
        """Each line with its end. Raises InvalidFile where the samples cannot be read."""
        for _, listed in itertools.groupby(_rows(self._path), key=lambda row: (row["filter"], row["doc_id"])):
            line = self._line(list(listed))
            yield json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def _line(self, rows: list[Mapping[str, Any]]) -> dict[str, Any]:
        first = rows[0]
        answers, target = json.loads(first["responses"]), first["target"] or ""
        made = asked(first, answers, self._settings)
        hashes = {
            "doc_hash": first["doc_hash"],
            "prompt_hash": first["prompt_hash"],
            "target_hash": hashlib.sha256(target.encode("utf-8", "replace")).hexdigest(),
        }
        self._hashes.update("".join(hashes.values()).encode())
        self._lines[first["filter"]] += 1
        self.output_type = self.output_type or _kind(answers)
        self.exact = self.exact and made.exact
        known = {self._cluster: first["cluster"]} if self._cluster and first.get("cluster") is not None else {}
        return {
            "doc_id": first["doc_id"],
            "doc": {"doc_hash": first["doc_hash"], **known},
            "target": target,
            "arguments": {f"gen_args_{at}": _numbered(request) for at, request in enumerate(made.requests)},
            "resps": _as_text(answers),
            "filtered_resps": _as_text(json.loads(first["filtered"])),
            "filter": first["filter"],
            "metrics": [row["metric"] for row in rows],
            **hashes,
            **{row["metric"]: _value(row) for row in rows},
            OWN: {name: first.get(name) for name in OWN_COLUMNS} | {"arguments_exact": made.exact},
        }


def settings_of(chosen: Chosen) -> dict[str, Any]:
    """How answers were generated, by lm-eval's names, as far as the record tells."""
    told = chosen.record.decoding or {}
    temperature = told.get("temperature")
    settings = {"do_sample": bool(temperature), "temperature": temperature, "top_p": told.get("top_p")}
    return {name: value for name, value in settings.items() if value is not None}


def _kind(answers: list[Any]) -> str | None:
    """Texts are generated; a pair is of an ending, several of choices; a number alone is of a whole text."""
    first = next((answer[0] for answer in answers if isinstance(answer, list) and answer), None)
    if isinstance(first, str):
        return "generate_until"
    if isinstance(first, list):
        return "loglikelihood" if len(answers) == 1 else "multiple_choice"
    return None if first is None else "loglikelihood_rolling"


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                yield from batch.to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise InvalidFile(
            f"{path} cannot be read ({one_line(error)[:200]}): nothing was written.",
            "`minizoo db check` names what is damaged; name another run or model to export those.",
        ) from None


def _numbered(request: Request) -> dict[str, Any]:
    return {f"arg_{at}": part for at, part in enumerate(request)}


def _value(row: Mapping[str, Any]) -> Any:
    """A document's value, of a metric of pairs both parts, as lm-eval writes them."""
    return row["value"] if row.get("weight") is None else [row["value"], row["weight"]]


def _as_text(answer: Any) -> Any:
    """Lists as they are and all that is in them as text, as lm-eval writes answers so that `datasets` can load them."""
    return [_as_text(part) for part in answer] if isinstance(answer, list) else str(answer)
