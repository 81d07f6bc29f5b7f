"""What every page is made from: the results, the registry, and the board over both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.store.query import Reader
from reports.board.model import Board
from zoo.registry.loader import Registry


@dataclass(frozen=True)
class SiteInput:
    """Everything that the pages of one site are made from. Two equal inputs give equal bytes."""

    results: Path
    """The results folder: samples.parquet of a record is there."""
    reader: Reader
    registry: Registry
    board: Board
    version: str
    """minizoo's."""
    asked_pairs: tuple[tuple[str, str], ...] = ()
    """Pairs of `--compare A,B`: the reference first."""
