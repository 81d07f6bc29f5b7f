"""The constants of the statistical rule. Modules read them when called, so that a rule is changed here alone."""

from __future__ import annotations

from zoo import confidence

RULE_VERSION = "2"
"""Changes with anything that changes a derived number; a store that was made by another version is made anew.

`record/1` names the rule of records that carry their errors themselves (minizoo 0.1)."""
CONFIDENCE = confidence.CONFIDENCE
POWER = 0.80
Z = confidence.Z
"""The two-sided quantile of the normal distribution at CONFIDENCE."""
REPLICATES = 1000
"""Resamplings of a bootstrap of one score."""
SEED = 0
"""Of that bootstrap."""
POINT = 0.01
"""One percentage point: how near a measured score must come to a published one where nobody states a margin."""
