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


class TrackerBroken(EnvironmentIssue):
    """A tracker that is to be told of a training's steps did not start: no account, no server, a folder of another version."""


class CacheOfOtherTeacher(InputError):
    """A teacher's cache was made by another teacher than the one given."""


class CacheOfOtherData(InputError):
    """A teacher's cache was made for other data, or for rows that are cut otherwise."""


class CacheOfOtherTokenizer(InputError):
    """A teacher's cache was made with another tokenizer or vocabulary."""


class CacheOfOtherForm(InputError):
    """A teacher's cache holds another form than the one asked for: exact or sampled, how many samples, dtype, layers."""


class CacheBroken(InputError):
    """A teacher's cache is missing, or one of its files is broken."""


class CacheIncomplete(InputError):
    """A teacher's cache has no entry for a row of the data."""


class TeacherNotFinite(InputError):
    """The teacher's hidden states have values that are NaN or infinite; the row is named."""


class InvalidTrainingData(InputError):
    """Training data that is missing, of a kind that cannot be read, or broken; file and line are named."""


class TooLittleData(InputError):
    """Training data without a text, or with fewer rows than one step takes."""


class OtherData(InputError):
    """The folder holds rows of other data, another tokenizer or another length, or its files are not as they were written."""


class OtherVocabulary(InputError):
    """Student and teacher have vocabularies or tokenizers that differ, so what one says of a token is not the other's."""


class StudentUnfit(InputError):
    """The student cannot be trained as it is stored: its layers differ in width, or it is the teacher itself."""
