"""Errors in what is measured: tasks, prompts, data, workloads, results."""

from __future__ import annotations

from zoo.errors.base import EnvironmentIssue, InputError


class InvalidTask(InputError):
    """lm-eval cannot load the task or build its prompts from the data, or it stands twice in a suite."""


class UnsafeTask(InputError):
    """The task runs generated code inside the measuring process, which is never done."""


class UnsupportedRequest(InputError):
    """The task asks for a kind of request or a generation setting that minizoo does not run."""


class PromptTooLong(InputError):
    """Prompts do not fit into the model's context; nothing is cut unless `--overflow truncate` says so."""


class PromptImpossible(InputError):
    """A request has no score with this tokenizer: an ending without a token, no first token, too short a text."""


class InvalidData(InputError):
    """A mirror's file or manifest is broken."""


class TokenOutsideVocabulary(InputError):
    """A prompt or training text has a token id that the model does not have: the tokenizer is another's, or was added to."""


class WorkloadTooLong(InputError):
    """No shape of the workload fits into the model's context."""


class NoStreaming(InputError):
    """The backend does not tell when each token of this model was there, so its speed cannot be measured."""


class NotComparable(InputError):
    """The two measurements cannot be compared: too few trials, or no stated batch."""


class NothingRecorded(InputError):
    """A model is known, or a folder is there, but no result of it is, so there is nothing to compare."""


class OtherTokens(InputError):
    """Two models cannot be compared token by token: their tokenizers, vocabularies or contexts are not the same."""


class NoDistributions(InputError):
    """The backend does not tell the whole distribution behind a token, so two models cannot be compared by it."""


class NoRightAnswer(InputError):
    """No task of the suite has one right answer whose log-probability is known."""


class InvalidImport(InputError):
    """A file to import is of a known tool, and broken or without what its kind must have."""


class UnknownTool(InputError):
    """A file to import was written by no tool that minizoo knows."""


class InvalidBundle(InputError):
    """A bundle of rows is none, of a newer minizoo, larger than one can be, or holds what no bundle holds."""


class BundleAltered(InputError):
    """A file of a bundle is not what was packed: damaged, changed by hand, taken away or added. All of it is refused."""


class NothingToPack(InputError):
    """None of the runs has a row of its own that a bundle could hold: a speed, or scoring beside another engine."""


class UnknownRun(InputError):
    """The results folder has no run whose id is, or begins with, what was given, or has several."""


class BaselineRefused(InputError):
    """The run cannot be a baseline: it failed in part, its speed is invalid, it was broken off, or was measured elsewhere."""


class BaselineMissing(InputError):
    """The bundle of a baseline, which its file names, is not there."""


class BaselineAltered(InputError):
    """The bundle of a baseline is not what was accepted: damaged, changed by hand, or of another run. All of it is refused."""


class DataMissing(EnvironmentIssue):
    """A task's data set is neither in the mirror nor to be had from the hub."""


class TaskFailed(EnvironmentIssue):
    """A task has no score, because its own code raised while it judged the answers; its record says why."""


class ScoresNotFinite(EnvironmentIssue):
    """A task has no score, because answers of the model, or a metric of them, are NaN or infinite."""


class NoIsolation(EnvironmentIssue):
    """Generated code cannot be isolated on this machine, so it was not run."""


class ResultsMissing(EnvironmentIssue):
    """There is no results folder of that name."""


class NewerResults(EnvironmentIssue):
    """A record was written by a newer minizoo than this one; its version is named."""


class NewerSite(EnvironmentIssue):
    """The site in that folder was written by a newer minizoo than this one."""


class SeedFailed(EnvironmentIssue):
    """A seed of an experiment ended before all its arms were done; the last line that it said is shown."""
