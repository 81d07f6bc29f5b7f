"""Which way of a metric is better, by lm-eval's own table."""

from __future__ import annotations


def higher_is_better(metric: str) -> bool | None:
    """Whether more is better; None for a metric that lm-eval does not know."""
    from lm_eval.api import metrics as _metrics  # fills the table
    from lm_eval.api.registry import is_higher_better

    assert _metrics
    return is_higher_better(metric)
