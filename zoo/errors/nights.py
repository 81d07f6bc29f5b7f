"""Errors of nights and fleets: plans, jobs, the machines that run them."""

from __future__ import annotations

from zoo.errors.base import EnvironmentIssue, InputError
from zoo.errors.request import InvalidFile


class ClusterUnreachable(EnvironmentIssue):
    """No Ray cluster answers at the address that was given, or it does not take this process in."""


class InvalidNight(InputError):
    """A file of a night (its jobs, an outcome) is no such file, or was cut short."""


class InvalidNightPlan(InvalidFile):
    """A plan of nights does not say what a plan must, or names what there is not; file, line and column are named."""


class JobHung(EnvironmentIssue):
    """A step of a job ran far longer than it can need, and was ended."""


class JobLost(EnvironmentIssue):
    """The process of a job ended without an outcome: it was killed, or its machine went."""


class JobRunning(EnvironmentIssue):
    """Another process runs this job of the night."""


class NightRunning(EnvironmentIssue):
    """Another night runs in this results folder."""


class NodeUnfit(EnvironmentIssue):
    """A node of the cluster has another minizoo, or does not see the files that it is to work on."""


class NodesMissing(EnvironmentIssue):
    """The cluster has no node with what is asked, or not enough of them."""


class NothingToCollect(InputError):
    """There is no unfinished night of the plan whose jobs could be gathered."""


class RecordCorrupt(EnvironmentIssue):
    """A record that a job left cannot be read."""


class StepGarbled(EnvironmentIssue):
    """A step of a job ended well and left no result that can be read."""


class StepKilled(EnvironmentIssue):
    """A step of a job was killed by a signal: by the system for want of memory, or by somebody."""


class UnknownJob(InputError):
    """A night has no job of that id or number."""


class WrongAccelerator(EnvironmentIssue):
    """A job ran, or was to run, on another GPU than the one that it asks for."""
