"""A side from an accepted baseline, or from the records of reference that come with the checkout."""

from __future__ import annotations

from pathlib import Path

from harness.compare.items import Side

PREFIX = "baseline:"


def baseline_names(file: Path | None) -> list[str]:
    """The names in a file of baselines; none where there is no file."""
    return []


def baseline_side(word: str, name: str, file: Path) -> Side:
    """All results of a baseline."""
    raise NotImplementedError


def reference_side(word: str, folder: Path | None) -> Side | None:
    """The results of a model that come with the checkout; None where there are none."""
    return None
