"""What two runs are compared by: a task's documents, with what a metric gave each, in columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from harness.records.record import MetricScore, Record


class ScoreKey(NamedTuple):
    """What a row of scores is about."""

    task: str
    metric: str
    filter: str


@dataclass(frozen=True)
class Items:
    """Documents of one task as one metric and filter judged them, all columns of one length, in the order of the data set.

    Numpy arrays. What is not known of a document is NaN, -1 or None.
    """

    doc_id: Any
    """int64."""
    doc_hash: Any
    """object (str)."""
    occurrence: Any
    """int64: which one of the documents with that hash."""
    request_hash: Any
    """object (str or None): of every request of the document."""
    value: Any
    """float64: as lm-eval's aggregation takes it in."""
    weight: Any
    """float64: of a (log-likelihood, weight) pair; NaN elsewhere."""
    gold_logprob: Any
    """float64: Σ log p of the right answer in nats; NaN where the task has none or nobody kept it."""
    gold: Any
    """int64: the right answer's place among the choices."""
    length: Any
    """int64: characters of the document's longest request, context and continuation."""
    cluster: Any
    """object (str or None): the unit that the document shares with others."""
    target: Any = None
    """object (str): the right answer as text; None where answers were not kept, as in a baseline."""
    responses: Any = None
    """object (str): JSON of what the model answered to each request."""
    filtered: Any = None
    """object (str): JSON of what the filter made of it."""

    def __len__(self) -> int:
        return len(self.doc_hash)


@dataclass(frozen=True)
class TaskResult:
    """A score of one side: its record, and its documents where they were kept."""

    key: ScoreKey
    record: Record
    score: MetricScore
    items: Items | None
    """None of a group (its leaves have them), and where the samples are gone."""


Standing = Literal["failed", "unchecked", "passed"]
WORST_FIRST: tuple[Standing, ...] = ("failed", "unchecked", "passed")
SideKind = Literal["run", "baseline", "reference", "lm-eval"]


@dataclass(frozen=True)
class Side:
    """All that is compared of one side. `reference`: a record that comes with the checkout (reports/published/reference)."""

    word: str
    """As the user named it."""
    kind: SideKind
    name: str
    """The model, as it is shown."""
    results: Mapping[ScoreKey, TaskResult]
    failed: Mapping[str, Record] = field(default_factory=dict[str, Record])
    """Task → the record of its failure, where the newest run of it has no numbers."""
    speed: tuple[Record, ...] = ()
    """Speed records of the side."""
    run_ids: tuple[str, ...] = ()
    where: str = ""
    """In words, for titles: `run 01a2… of 2026-11-30`, `baseline nano-teacher`."""
    notes: tuple[str, ...] = ()
    """What else is to be known of where the results come from: a corrupt record, a newer run of fewer documents."""

    @property
    def standing(self) -> Standing | None:
        """What is known of the backends that made its results, the worst of them; None where minizoo made none."""
        found = {result.record.standing for result in self.results.values()}
        return next((one for one in WORST_FIRST if one in found), None)

    @property
    def doubt(self) -> str:
        """In words, what its backends are not known to be; empty where all passed conformance, or minizoo made no result."""
        standing = self.standing
        if standing in (None, "passed"):
            return ""
        of = [result.record for result in self.results.values() if result.record.standing == standing]
        backends = ", ".join(sorted({record.setting.backend for record in of}))
        part = "" if len(of) == len(self.results) else " in part"
        if standing == "unchecked":
            return f"unchecked{part}: whether backend {backends} gives right numbers for such a model was not known"
        failed = dict.fromkeys(check for record in of if record.conformance for check in record.conformance.failed)
        return f"UNVERIFIED{part}: backend {backends} failed conformance ({', '.join(failed) or 'no check is named'})"
