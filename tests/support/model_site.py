"""A site over the shipped registry and a few records: one published score reproduced, one model in no registry, one failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.records.files import new_run_id, write_record
from harness.records.record import MetricScore, Subject
from harness.stats.means import mean_statistics
from harness.store.query import Reader
from reports.board.build import build_board
from reports.site.input import SiteInput
from support.browser import HOSTILE
from support.records import record
from zoo.registry.loader import load_registry

MODEL, PARENT = "mistral-nemo-minitron-8b", "mistral-nemo-12b"
SUITE = {"name": "paper", "tasks": [{"task": "winogrande", "metric": "acc"}]}


def site_of(results: Path) -> SiteInput:
    """What page makers get of these results."""
    reader, registry = Reader(results), load_registry()
    return SiteInput(results, reader, registry, build_board(reader, registry), "0.0.test")


def measured_site(results: Path) -> SiteInput:
    """`MODEL` scores what its sources print (1,020 of 1,267), a model of a hostile name half as much, and one task fails."""
    write(results, subject(MODEL, entry={"id": MODEL}), scores=(score(1020),))
    write(results, subject(HOSTILE), scores=(score(700),))
    write(results, subject(MODEL, entry={"id": MODEL}), task="hellaswag", shots=10, status="failed", reason=HOSTILE)
    return site_of(results)


def subject(name: str, **changes: Any) -> Subject:
    """A model of the hub, or of the registry where `entry` is given."""
    known = {"source": "hub", "revision": None, "weights_digest": "w", "tokenizer_digest": "t", "entry": None}
    return Subject(id=name, **{**known, **changes})


def score(right: int, n: int = 1267) -> MetricScore:
    """`right` of `n` documents."""
    known = mean_statistics([1.0] * right + [0.0] * (n - right), unit_interval=True)
    return MetricScore(
        metric="acc", filter="none", value=right / n, n=n, total=n, draws=(), statistics=known, higher_is_better=True,
        chance=0.5,
    )  # fmt: skip


def write(results: Path, of: Subject, **changes: Any) -> None:
    """One record of a run of its own."""
    given = {"task": "winogrande", "resolved_suite": SUITE, "suite": "paper", "subject": of, "run_id": new_run_id()}
    write_record(results, record(**{**given, **changes}))
