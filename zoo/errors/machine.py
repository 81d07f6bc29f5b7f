"""Errors in the surroundings: packages, devices, disk, other processes."""

from __future__ import annotations

from zoo.errors.base import EnvironmentIssue


class PackageMissing(EnvironmentIssue):
    """A task needs a package that is not installed."""


class DeviceMissing(EnvironmentIssue):
    """There is no such device, or torch does not see it."""


class DeviceMemory(EnvironmentIssue):
    """The model does not fit into the memory of the device or the machine."""


class DeviceLost(EnvironmentIssue):
    """The device stopped answering while it was measured."""


class BackendBroke(EnvironmentIssue):
    """An engine raised in the midst of a run; what was answered is kept."""


class NotWritable(EnvironmentIssue):
    """A folder or file cannot be written: permissions, or no space."""


class DiskFull(EnvironmentIssue):
    """The disk has less room than what is to be written."""


class Busy(EnvironmentIssue):
    """Another process holds the folder or the database."""


class LmEvalChanged(EnvironmentIssue):
    """The installed lm-eval lacks an interface that minizoo uses; the interface is named."""


class LmEvalFailed(EnvironmentIssue):
    """lm-eval, a model of its own or a task's own code raised in the midst of lm-eval's command line."""


class BrokenInstallation(EnvironmentIssue):
    """A file that ships with minizoo, or a backend's entry point, is missing or written for another version."""
