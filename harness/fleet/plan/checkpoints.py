"""Checkpoints of a training run: found by a pattern in the order of their axis, each new one evaluated once, the best told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.records.night import Finding, Night, NightOutcome


def told_best(night: Night, outcome: NightOutcome, results: Path) -> Sequence[Finding]:
    """The best checkpoint of each run (label) by each task, from the records in `results`, as findings that decide nothing.

    Every evaluated checkpoint of the label counts, of earlier nights too.
    """
    raise NotImplementedError
