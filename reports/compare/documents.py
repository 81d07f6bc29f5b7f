"""What a document asked, for those who look at how its answer changed: read from the files beside the records."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from harness.compare.flips import Flip
from harness.compare.items import ScoreKey, Side
from harness.records.files import folder_name, run_folder

COLUMNS = ("doc_id", "prompt", "choices")


@dataclass(frozen=True)
class Question:
    """The prompt of a document, and the texts that were to choose from (none where there was nothing to choose)."""

    prompt: str
    choices: tuple[str, ...] = ()


def questions(
    results: Path, sides: Sequence[Side], key: ScoreKey, flips: Iterable[Flip]
) -> dict[tuple[str, int], Question]:
    """(Leaf task, document's number) → its question, from the first side that kept it. `key` is that of the flips' row."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for flip in flips:
        wanted[flip.task].add(flip.doc_id)
    found: dict[tuple[str, int], Question] = {}
    for task, numbers in wanted.items():
        for side in sides:
            known = side.results.get(ScoreKey(task, key.metric, key.filter))
            missing = numbers - {number for leaf, number in found if leaf == task}
            if known is None or not missing:
                continue
            path = run_folder(results, known.record.run_id) / folder_name(task) / "samples.parquet"
            found |= {(task, number): question for number, question in _read(path, missing).items()}
    return found


def _read(path: Path, numbers: set[int]) -> Mapping[int, Question]:
    """Those documents' questions; nothing where the file has none, or cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not set(COLUMNS) <= set(pq.read_schema(path).names):
            return {}
        table = pq.read_table(path, columns=list(COLUMNS), filters=[("doc_id", "in", numbers)])
    except (OSError, pa.ArrowException):
        return {}
    rows = cast("list[dict[str, Any]]", table.to_pylist())
    return {
        row["doc_id"]: Question(row["prompt"], _choices(row["choices"])) for row in rows if row["prompt"] is not None
    }


def _choices(told: str | None) -> tuple[str, ...]:
    try:
        listed: Any = json.loads(told or "[]")
    except ValueError:
        return ()
    return tuple(map(str, cast("list[Any]", listed))) if isinstance(listed, list) else ()
