"""Whether tonight's speeds are worse than those of earlier nights: the ratio to the canary, and the canary itself."""

from __future__ import annotations

from collections.abc import Sequence

from harness.records.night import CanaryBlocks, Finding, NightOutcome

MAX_SLOWDOWN = 0.02


def judge_canary(
    tonight: Sequence[CanaryBlocks], earlier: Sequence[NightOutcome], max_slowdown: float = MAX_SLOWDOWN
) -> list[Finding]:
    """What tonight's blocks say beside those of earlier nights. `Finding.about` is the job's id."""
    raise NotImplementedError
