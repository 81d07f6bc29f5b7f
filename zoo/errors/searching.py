"""Errors in a search for a shape: its budget, its space, the folder that it goes on in."""

from __future__ import annotations

from zoo.errors.base import InputError


class InvalidBudget(InputError):
    """A search's budget is not written as one, or names a GPU, a batch or a context that there is not."""


class NoCandidate(InputError):
    """No shape of the space costs what the budget asks for; the nearest ones are named."""


class NoSmallerShape(InputError):
    """The parent's dimensions allow no step down on any axis that may be cut."""


class OtherSearch(InputError):
    """The folder holds a search that was asked for something else."""


class AllDiverged(InputError):
    """Every candidate's training diverged, so there is no ranking."""
