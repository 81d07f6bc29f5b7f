"""Records of other versions: an older one is read as this version's, a newer one is refused by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.records.record import SCHEMA
from zoo.errors import NewerResults

FIRST = "minizoo.record/1"
DERIVED = ("stderr", "lower", "upper", "whole_stderr", "decoding_stderr")
"""What a score of the first version held and this version derives."""


def current(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """The document of a record.json as this version has it; NewerResults for one of a newer minizoo.

    A record of the first version keeps its name of schema, and the errors that it was written with: see
    `harness.stats.sufficient.RecordedStatistics`. An unknown name of schema is a ValueError.
    """
    schema = document.get("schema_version")
    if is_newer(schema, SCHEMA):
        raise NewerResults(
            f"{path} was written by a newer minizoo: it is a {schema}, and this one reads up to {SCHEMA}.",
            "Use a minizoo as new as the one that wrote it, or another folder: --results DIR.",
        )
    return _of_first_version(document) if schema == FIRST else document


def is_newer(schema: Any, ours: str) -> bool:
    """Whether a name of schema is of a later version than ours (`minizoo.record/2`); ValueError for no such name at all."""
    family, _, number = ours.rpartition("/")
    found = re.fullmatch(rf"{re.escape(family)}/(\d{{1,9}})", schema) if isinstance(schema, str) else None
    if found is None:
        raise ValueError(f"schema_version is {schema!r:.60}, not {ours}")
    return int(found[1]) > int(number)


def _of_first_version(document: dict[str, Any]) -> dict[str, Any]:
    printed = document.get("source") == "imported"
    return {**document, "scores": [_score(score, printed) for score in document.get("scores") or ()]}


def _score(score: dict[str, Any], printed: bool) -> dict[str, Any]:
    """A score's errors as statistics: those that another tool printed, or those that the record's own rule derived."""
    kept = {name: value for name, value in score.items() if name not in DERIVED}
    told = {name: score.get(name) for name in DERIVED}
    if printed:
        known = None if told["stderr"] is None else {"kind": "printed", "stderr": told["stderr"]}
    else:
        known = {"kind": "recorded", **told}
    return {**kept, "statistics": known}
