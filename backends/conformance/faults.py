"""The catalogue of known faults of engines (faults.yaml): what, where it was told, and which check catches it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import field_validator

from backends.conformance.table import CHECKS
from zoo.strict import Slug, Strict, Text, Url
from zoo.yaml_source import read_located, validated

FILE = Path(__file__).parent / "faults.yaml"


class Fault(Strict):
    """A fault that somebody met."""

    id: Slug
    what: Text
    engine: Text
    """The engine, and who reads it where the fault is the reader's."""
    versions: Text
    """As the thread tells them; `?` where it does not."""
    thread: Url
    check: Slug
    """The check that catches it; others may catch it too."""

    @field_validator("check")
    @classmethod
    def _is_a_check(cls, name: str) -> str:
        if name not in {check.name for check in CHECKS}:
            raise ValueError(f"there is no check '{name}'")
        return name


class Catalogue(Strict):
    """faults.yaml."""

    faults: tuple[Fault, ...]


@cache
def faults() -> tuple[Fault, ...]:
    """Every known fault. Raises InvalidFile, with line and column, for a catalogue that does not fit."""
    return validated(Catalogue, read_located(FILE)).faults
