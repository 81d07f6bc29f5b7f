"""For the tasks `smollm2_…` of MMLU: what is left of a subject once its first questions have chosen it."""

from __future__ import annotations

from typing import Any

CHOSEN_BY = 40
"""The first questions of each subject: the parent's answers to them chose the subjects, so they are not measured again."""


def after_the_choice(documents: Any) -> Any:
    """The questions that had no part in the choice of their subject."""
    return documents.select(range(CHOSEN_BY, len(documents)))
