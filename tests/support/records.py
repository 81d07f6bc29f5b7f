"""Records as a test wants them: every field has a value, and any can be changed."""

from datetime import UTC, datetime

from harness.records.files import new_run_id
from harness.records.record import Counts, MetricScore, Record, Setting, Subject
from harness.stats.sufficient import MeanStatistics


def record(task="winogrande", run_id=None, **changes):
    fields = {
        "run_id": run_id or new_run_id(),
        "task": task,
        "status": "ok",
        "suite": "smoke",
        "resolved_suite": {},
        "task_version": "1.0",
        "task_digest": "d",
        "shots": 5,
        "limit": None,
        "overflow": "refuse",
        "started_at": datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC),
        "finished_at": datetime(2026, 11, 21, 1, 3, 3, tzinfo=UTC),
        "subject": Subject(
            id="tiny'; DROP TABLE records; --", source="/models/tiny", revision=None, weights_digest="w",
            tokenizer_digest="t", entry=None,
        ),
        "setting": Setting(
            backend="hf", device="cpu", dtype="float32", gpu=None, driver=None, host="h", platform="p",
            versions={"torch": "2"}, git_sha=None, seed=0, command="minizoo eval",
        ),
        "counts": Counts(documents=2, documents_total=9, requests=4, tokens=80, truncated=0, reused=0),
        "scores": (
            MetricScore(
                metric="acc", filter="none", value=0.5, n=2, higher_is_better=True, chance=0.5,
                statistics=MeanStatistics(squares=0.5, units=2, binary=True, unit_interval=True),
            ),
        ),
        **changes,
    }  # fmt: skip
    return Record(**fields)


def samples(values=(1.0, 0.0)):
    row = {"occurrence": 0, "request_hash": "r", "prompt_hash": "p", "metric": "acc", "filter": "none", "weight": None}
    row |= {"target": "1", "responses": "[]", "filtered": "[]"}
    return [{"doc_id": i, "doc_hash": str(i), "value": value, **row} for i, value in enumerate(values)]
