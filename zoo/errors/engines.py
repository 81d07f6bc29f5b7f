"""Errors in engines that live in a process of their own: its interpreter, its start, its messages, its end."""

from __future__ import annotations

from zoo.errors.base import EnvironmentIssue, InputError


class InterpreterUnfit(EnvironmentIssue):
    """The worker's interpreter or command cannot be started, or is no Python that minizoo's workers run in."""


class EngineMissing(EnvironmentIssue):
    """The worker's interpreter lacks the engine, or a package of its."""


class EngineVersion(EnvironmentIssue):
    """The engine is of a version that minizoo's worker does not know how to ask."""


class EngineRefused(EnvironmentIssue):
    """The engine cannot run this model on this device; its own words are in the message."""


class EngineFailed(EnvironmentIssue):
    """The engine raised within its worker; its own words are in the message."""


class WorkerDied(EnvironmentIssue):
    """A worker's process ended by itself or was killed, and a fresh one did too."""


class WorkerSilent(EnvironmentIssue):
    """A worker has not answered for longer than any answer takes: it hangs."""


class WorkerGarbled(EnvironmentIssue):
    """What came from a worker is no message of the protocol, or one of another version of it."""


class RequestKills(EnvironmentIssue):
    """Requests that end the worker that answers them, each alone; they are named, and all others are answered."""


class SeveralDevices(InputError):
    """The words about devices and workers contradict each other, or this is done on one device alone."""


BREAKS = (EngineFailed, WorkerDied, WorkerSilent, WorkerGarbled, RequestKills)
"""What can happen in the midst of a run, whatever the request: what was answered is kept."""
