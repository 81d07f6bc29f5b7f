"""Errors between this machine and the hub, where the hub answers: it refuses for now, or what came down is not whole."""

from __future__ import annotations

from zoo.errors.base import EnvironmentIssue, InputError


class TokenRefused(InputError):
    """The hub does not know the token of this machine."""


class HubBusy(EnvironmentIssue):
    """The hub limits how often it is asked, for longer than minizoo waits."""


class HubFailing(EnvironmentIssue):
    """The hub answers with a fault of its own, or with what no hub answers."""


class DownloadBroken(EnvironmentIssue):
    """A connection broke off again and again; what had come is kept."""


class DownloadCorrupt(EnvironmentIssue):
    """What came down is not what the hub's listing says: another size or another digest."""
