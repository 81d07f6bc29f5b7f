"""The words for series and changes that pictures and tables share."""

from __future__ import annotations

from harness.fleet.history.change_points import Change

KINDS = {
    "accuracy": "score",
    "ratio": "ratio to the canary",
    "canary": "the canary itself",
    "gold_logprob": "gold log-probability",
}
"""What a series is of."""


def change_words(change: Change, kind: str) -> str:
    """`4.1 % worse`, `0.0031 nats better`."""
    way = "worse" if change.is_worse else "better"
    size = f"{abs(change.by):.4f} nats" if kind == "gold_logprob" else f"{100 * abs(change.by):.1f} %"
    return f"{size} {way}"
