"""Whether a backend's answer, or a metric, is made of numbers, and what to try where it is not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backends.contract import Generation, Score
from harness.records.record import MetricScore

NO_NUMBER = "bypass"
"""lm-eval's metric of tasks that are only to be answered (`--predict_only`), for which it prints 999."""

REMEDIES = {
    "float16": "float16 ends at 65,504: try dtype bfloat16 or float32; if that gives none either, training has diverged.",
    "bfloat16": "Try dtype float32; if that gives none either, training has diverged.",
}
"""By the dtype that was computed in."""
REMEDY = "Training has diverged, or weights are damaged: fetch the checkpoint again, or take an earlier one."


def is_finite(result: Score | Generation) -> bool:
    """Whether every number of a backend's answer is one; for a generation whether its tokens were chosen from such."""
    if isinstance(result, Score):
        return all(map(math.isfinite, (result.logprob, *(result.token_logprobs or ()))))
    return bool(getattr(result, "finite", True))


def remedy(dtype: str) -> str:
    """What to try where a model computed in this dtype gives no numbers."""
    return REMEDIES.get(dtype, REMEDY)


def metrics_not_finite(scores: Sequence[MetricScore]) -> str | None:
    """Which metrics have no value although the answers are finite, in words; None where all have one that are numbers."""
    absent = [_named(score) for score in scores if score.value is None and score.metric != NO_NUMBER]
    return f"No finite value for {', '.join(absent)}, by lm-eval's own aggregation: left out." if absent else None


def _named(score: MetricScore) -> str:
    return score.metric if score.filter == "none" else f"{score.metric} ({score.filter})"
