"""How large an effect is, whatever the number of documents."""

from __future__ import annotations


def cohens_g(lost: int, gained: int) -> float | None:
    """The share of changed documents that were gained, less 1/2: -1/2 where all were lost.

    Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, ch. 5: 0.05 counts as
    small, 0.15 as medium, 0.25 as large. None where no document changed.
    """
    return gained / (lost + gained) - 0.5 if lost + gained else None


def standardised(mean_difference: float, sd: float) -> float | None:
    """The mean of paired differences over their standard deviation, Cohen's d_z (1988, p. 48). None for one of 0."""
    return mean_difference / sd if sd else None
