"""ROUGE-L by the rouge-score package itself: no metric is fetched from the hub."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any


def rouge_l(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """F1 of the longest common subsequence of words, stemmed (Lin 2004), between 0 and 1."""
    return {"rougeL": _scorer().score(doc["summary"], results[0].strip())["rougeL"].fmeasure}


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)
