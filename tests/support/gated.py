"""Policies and sides in memory, as tests of a gate want them."""

from dataclasses import replace

from harness.compare.items import Side
from harness.compare.sides.samples import columns_of_rows, with_items
from harness.gates.policy import AccuracyEntry, Alpha, Policy
from support.compared import rows_of, score_of, subject
from support.records import record

ALPHA = Alpha(accuracy=0.005, gold=0.0015, speed=0.0015)


def policy(*entries, **changes):
    """A policy of these accuracy entries, each with the defaults of a critical release of one point."""
    defaults = {"task": "winogrande", "tier": "critical", "ask": ("release",), "margin": 0.01}
    made = tuple(AccuracyEntry(**defaults | entry) for entry in entries)
    return Policy(**{"name": "mine", "alpha": ALPHA, "accuracy": made} | changes)


def task(model, values, name="winogrande", metric="acc", columns=None, score=None, **changes):
    """A record with its samples, as a side holds them."""
    fields = {"subject": subject(model), "counts": None}
    fields |= {"scores": (score_of(values, metric, **score or {}),)} if values else {}
    return record(name, **fields | changes), rows_of(values, metric, **columns or {}) if values else []


def side(model, *tasks, **changes):
    """A side of such tasks; of a failed one its record alone."""
    results, failed, runs = {}, {}, []
    for made, rows in tasks:
        runs.append(made.run_id)
        if made.status == "ok":
            results |= with_items(made, columns_of_rows(rows))
        else:
            failed[made.task] = made
    where = f"run {runs[0]}" if runs else ""
    return replace(Side(model, "run", model, results, failed, run_ids=tuple(runs), where=where), **changes)


def flips(n, lost, gained, right=0.8):
    """Values of both sides: so many of n documents lost and gained."""
    old = [1.0] * round(n * right) + [0.0] * (n - round(n * right))
    return old, [0.0] * lost + old[lost : n - gained] + [1.0] * gained
