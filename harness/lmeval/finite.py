"""Whether a backend's answer is made of numbers, and what to try where it is not."""

from __future__ import annotations

import math

from backends.contract import Generation, Score

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
