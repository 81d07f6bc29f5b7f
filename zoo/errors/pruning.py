"""Errors in what a cut is made of: target, recipe, plan, scores, calibration text."""

from __future__ import annotations

from zoo.errors.base import InputError


class InvalidTarget(InputError):
    """A target that grows, splits a GQA group, names layers that there are not, or leaves nothing."""


class NoRecipe(InputError):
    """The model was not made by pruning, or its recipe is for a parent of another shape."""


class InvalidPlan(InputError):
    """A pruning plan is missing, broken, or contradicts itself."""


class OtherParent(InputError):
    """A plan or scores were made for another parent than the one given."""


class InvalidScores(InputError):
    """A file of importance scores is missing, broken, or lacks what the cut needs."""


class InvalidCalibration(InputError):
    """Calibration data that cannot be read, is too short, or has token ids outside the vocabulary."""
