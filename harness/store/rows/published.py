"""The registry's published scores as rows of `published`, in the metrics' own units."""

from __future__ import annotations

from typing import Any

from harness.metrics.published import UNIT_OF
from zoo.registry.loader import Registry


def published_rows(registry: Registry) -> list[dict[str, Any]]:
    """A row a published score; `raw_value` and `unit` are as printed."""
    return [
        {
            "model": model.id, "task": score.task, "metric": score.metric, "filter": score.filter,
            "shots": score.shots, "value": score.value / UNIT_OF[score.unit], "raw_value": score.value,
            "unit": score.unit, "higher_is_better": True, "origin": score.source_id, "quote": score.quote,
        }
        for model in registry.models.values()
        for score in model.published_scores
    ]  # fmt: skip
