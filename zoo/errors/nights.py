"""Errors of nights and fleets: plans, jobs, the machines that run them."""

from __future__ import annotations

from zoo.errors.request import InvalidFile


class InvalidNightPlan(InvalidFile):
    """A plan of nights does not say what a plan must, or names what there is not; file, line and column are named."""
