"""Errors in what was asked: names, options, files in the user's own hand."""

from __future__ import annotations

from zoo.errors.base import InputError


class UnknownModel(InputError):
    """No registry id, alias, hub id or folder has that name."""


class UnknownTask(InputError):
    """Neither minizoo nor the pinned lm-eval has a task of that name."""


class LmEvalRefused(InputError):
    """lm-eval refuses its command line, a configuration file or a task file; what it said is told."""


class CodeRefused(InputError):
    """An option would run code that nobody vouches for: a model's outside of the sandbox, or a checkpoint's own."""


class UnknownName(InputError):
    """There is no suite, workload, backend, command, argument, recipe or axis of that name."""


class SuiteNeeded(InputError):
    """The model has no suite of its own, as reasoning models have not, and none was named."""


class ConflictingOptions(InputError):
    """Options that exclude each other, or one without the option that it goes with."""


class InvalidOption(InputError):
    """An option's value is outside what it can be."""


class OutputExists(InputError):
    """The folder or file to write is there already, and nothing is overwritten."""


class NotASite(InputError):
    """The folder to write the report to holds something that minizoo did not write; nothing of it is touched."""


class FileMissing(InputError):
    """A file that was named is not there or cannot be read."""


class InvalidFile(InputError):
    """A file is not in the form that it should have: YAML, JSON, text or a table; file and line are named."""


class InvalidRegistry(InvalidFile):
    """registry.yaml, claims.yaml or a file added to the registry breaks a rule; line and column are named."""


class InvalidSuite(InvalidFile):
    """A suite's YAML does not say what a suite must, or names a folder that there is not."""


class InvalidWorkload(InvalidFile):
    """A workload's YAML does not say what a workload must."""


class InvalidPolicy(InvalidFile):
    """A gate's policy does not say what a policy must, or asks about what nobody knows; file and line are named."""


class InvalidBaselines(InvalidFile):
    """A file of baselines does not say what it must, or was cut short; line and column are named."""
