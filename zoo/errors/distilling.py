"""Errors in a distillation: its data, its teacher's cache, its training run and what that run left behind."""

from __future__ import annotations

from zoo.errors.base import EnvironmentIssue, InputError


class LossNotFinite(InputError):
    """A step's loss or gradient is NaN or infinite; the step, the batch and the last good checkpoint are named."""


class OtherRun(InputError):
    """The folder holds the checkpoints of a run with another student, teacher, data or settings."""


class InvalidTraining(InputError):
    """A training checkpoint is broken or lacks what the run goes on with."""


class WorldTooSmall(EnvironmentIssue):
    """One process runs where several were meant, or another number than the checkpoint was written by."""


class RankLost(EnvironmentIssue):
    """A process of a run over several died or stopped answering."""
