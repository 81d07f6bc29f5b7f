"""The confidence of every interval and test, said once for the registry's arithmetic and the harness's statistics."""

from __future__ import annotations

from statistics import NormalDist

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
"""The two-sided quantile of the normal distribution at CONFIDENCE: 1.95996."""
