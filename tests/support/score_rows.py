"""Rows as the views `scores` and `runs` give them, for the tests of the page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from reports.page import PageMeta

RUN = "0199a1b2-0001-7abc-8def-0123456789ab"
MADE = PageMeta(datetime(2026, 11, 21, 1, 40, tzinfo=UTC), "0.1.0", 3)


def score(**changes: Any) -> dict[str, Any]:
    """A measured accuracy; give what should differ."""
    return {
        "run_id": RUN,
        "finished_at": datetime(2026, 11, 21, 1, 30, 5, tzinfo=UTC),
        "model": "nano-teacher",
        "backend": "hf",
        "device": "cpu",
        "gpu": None,
        "suite": "nano",
        "task": "nano_facts",
        "metric": "acc",
        "filter": "none",
        "shots": 4,
        "value": 0.905,
        "stderr": 0.0147,
        "lower": 0.8763,
        "upper": 0.9337,
        "n": 400,
        "chance": 0.25,
        "higher_is_better": True,
        "status": "ok",
        "reason": None,
        "source": "measured",
        "limit": None,
        "truncated": 0,
        **changes,
    }


def failure(**changes: Any) -> dict[str, Any]:
    """A task that failed, as the store shows it: no metric, no numbers."""
    absent = dict.fromkeys(("metric", "filter", "value", "stderr", "lower", "upper", "chance", "higher_is_better"))
    return score(**{**absent, "n": 0, "status": "failed", "reason": "no isolation", "task": "nano_code", **changes})


def published(**changes: Any) -> dict[str, Any]:
    """A score of the registry, which has no run."""
    absent = dict.fromkeys(
        ("run_id", "finished_at", "backend", "device", "gpu", "suite", "stderr", "lower", "upper", "n", "chance")
    )
    return score(**{**absent, "model": "minitron-8b", "task": "hellaswag", "source": "published", **changes})


def run(**changes: Any) -> dict[str, Any]:
    """The run that the scores above came from."""
    return {
        "run_id": RUN,
        "model": "nano-teacher",
        "suite": "nano",
        "backend": "hf",
        "device": "cpu",
        "gpu": None,
        "driver": None,
        "dtype": "float32",
        "host": "bench",
        "platform": "Linux x86_64, Python 3.11",
        "versions": json.dumps({"torch": "2.13.0", "lm-eval": "0.4.13"}),
        "git_sha": "870c414",
        "weights_digest": "sha256:abcd",
        "seed": 1234,
        "command": "minizoo eval --model nano-teacher --suite nano",
        "started_at": datetime(2026, 11, 21, 1, 29, tzinfo=UTC),
        "finished_at": datetime(2026, 11, 21, 1, 30, 5, tzinfo=UTC),
        "tasks": 3,
        "failed": 1,
        **changes,
    }
