"""Records of two models to be compared: a row a document, with whatever a test says of it."""

import numpy as np

from harness.compare.items import Side
from harness.compare.sides.samples import columns_of_rows, with_items
from harness.records.files import write_record
from harness.records.record import MetricScore, Subject
from harness.stats.sufficient import MeanStatistics
from support.records import record

ROW = {"occurrence": 0, "prompt_hash": "p", "filter": "none", "weight": None, "responses": None, "filtered": None}


def subject(model, digest="w"):
    return Subject(
        id=model,
        source=f"org/{model}",
        revision=None,
        weights_digest=digest,
        tokenizer_digest="t",
        entry=None,
        kind="hub",
    )


def rows_of(values, metric="acc", **columns):
    """Samples: a value a document; a column is a list of as many, or one for all. Documents are `d0`, `d1` …"""
    given = {"doc_hash": [f"d{i}" for i in range(len(values))], "request_hash": [f"r{i}" for i in range(len(values))]}
    given |= {"target": [str(i % 2) for i in range(len(values))]} | columns
    spread = {name: column if isinstance(column, list) else [column] * len(values) for name, column in given.items()}
    own = [{name: column[i] for name, column in spread.items()} for i in range(len(values))]
    return [{**ROW, "doc_id": i, "metric": metric, "value": v} | own[i] for i, v in enumerate(values)]


def score_of(values, metric="acc", value=None, **changes):
    """The mean of the values as a score."""
    counted = [v for v in values if v == v]
    mean = float(np.mean(counted)) if value is None else value
    squares = float(np.sum((np.array(counted) - np.mean(counted)) ** 2))
    fields = {
        "metric": metric, "filter": "none", "value": mean, "n": len(values), "higher_is_better": True, "chance": 0.25,
        "total": len(values),
        "statistics": MeanStatistics(squares=squares, units=len(counted), binary=False, unit_interval=True),
    }  # fmt: skip
    return MetricScore(**fields | changes)


def made(model, values, task="winogrande", metric="acc", columns=None, score=None, **changes):
    """A task's record of a model, and its samples."""
    fields = {"subject": subject(model), "counts": None}
    fields |= {} if "scores" in changes else {"scores": (score_of(values, metric, **score or {}),)}
    return record(task, **fields | changes), rows_of(values, metric, **columns or {}) if values else []


def keep(results, model, values, *args, **changes):
    """Write what `made` makes to a results folder, and return the record."""
    found, rows = made(model, values, *args, **changes)
    write_record(results, found, rows)
    return found


def side(name, *parts):
    """A side of what `made` made, which no folder holds."""
    results, failed = {}, {}
    for found, rows in parts:
        if found.status != "ok":
            failed[found.task] = found
        results |= with_items(found, columns_of_rows(rows))
    return Side(name, "run", name, results, failed, run_ids=(name,), where=f"run {name}")
