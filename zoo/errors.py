"""The errors a user can meet, an exception class a cause. Callers branch on the class; programs on its `code`.

Each error is one paragraph: `what` happened and where (file, line, task), and `hint`, the next thing to do. A code is a
word that never changes; docs/errors.md lists them all and is made from this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar


class MinizooError(Exception):
    """An error for the user's eyes; the command line shows it without a traceback and exits with `exit_code`."""

    exit_code = 2
    code: ClassVar[str]
    """The class's name in lower case, its words joined by hyphens: `unknown-model`."""

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what} {hint}".strip())
        self.what = what
        self.hint = hint


class InputError(MinizooError):
    """The request itself is wrong: an unknown name, a broken file, options that do not fit together."""


class EnvironmentIssue(MinizooError):
    """The request is fine, the surroundings are not: no network, no disk, no isolation, no such device."""

    exit_code = 4


class InternalError(MinizooError):
    """minizoo itself is at fault; please report it with the log file."""

    exit_code = 70


class UnknownModel(InputError):
    """No registry id, alias, hub id or folder has that name."""


class UnknownTask(InputError):
    """Neither minizoo nor the pinned lm-eval has a task of that name."""


class UnknownName(InputError):
    """There is no suite, workload, backend, command, recipe or axis of that name."""


class ConflictingOptions(InputError):
    """Options that exclude each other, or one without the option that it goes with."""


class InvalidOption(InputError):
    """An option's value is outside what it can be."""


class OutputExists(InputError):
    """The folder or file to write is there already, and nothing is overwritten."""


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


class ConfigMissing(InputError):
    """The folder has no config.json, so it is no checkpoint in Hugging Face form."""


class InvalidConfig(InputError):
    """config.json cannot be read, contradicts itself, or is refused by transformers."""


class UnsupportedArchitecture(InputError):
    """The command does not work on this model class: pruning, drawing weights and streaming name those that they take."""


class UnsupportedDtype(InputError):
    """No such dtype, or one that this step cannot read."""


class WeightsMissing(InputError):
    """The checkpoint has no safetensors, or lacks a shard that its index names or a tensor that config.json calls for."""


class WeightsTruncated(InputError):
    """A safetensors file is shorter or longer than its own header says, or its header cannot be read."""


class WeightsMismatch(InputError):
    """Tensors do not have the shapes or dtypes that config.json calls for: scores would be those of random numbers."""


class WeightsNotFinite(InputError):
    """A weight or an activation is NaN or infinite."""


class WeightsNotPublic(InputError):
    """The model's weights were never published, so it cannot be run."""


class WrongBackend(InputError):
    """This checkpoint needs another backend: its layers differ in width, or it is a plan without weights of its own."""


class TokenizerUnreadable(InputError):
    """transformers cannot read the checkpoint's tokenizer, or there is none."""


class ChatTemplateMissing(InputError):
    """The suite goes through a chat template and the tokenizer has none, or it refuses the turns."""


class RepositoryGated(InputError):
    """The hub wants the model's licence accepted first."""


class RepositoryMissing(InputError):
    """The hub has no such model or no such revision of it."""


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
    """A prompt has a token id that the model's embedding does not have: the tokenizer is another model's, or was added to."""


class WorkloadTooLong(InputError):
    """No shape of the workload fits into the model's context."""


class NoStreaming(InputError):
    """The backend does not tell when each token of this model was there, so its speed cannot be measured."""


class NotComparable(InputError):
    """The two measurements cannot be compared: too few trials, or no stated batch."""


class InvalidImport(InputError):
    """A file to import is of a known tool, and broken or without what its kind must have."""


class UnknownTool(InputError):
    """A file to import was written by no tool that minizoo knows."""


class HubUnreachable(EnvironmentIssue):
    """The hub cannot be reached, and what is wanted is not in its cache."""


class DataMissing(EnvironmentIssue):
    """A task's data set is neither in the mirror nor to be had from the hub."""


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


class TaskFailed(EnvironmentIssue):
    """A task has no score, because its own code raised while it judged the answers; its record says why."""


class ScoresNotFinite(EnvironmentIssue):
    """A task has no score, because answers of the model, or a metric of them, are NaN or infinite."""


class NoIsolation(EnvironmentIssue):
    """Generated code cannot be isolated on this machine, so it was not run."""


class NotWritable(EnvironmentIssue):
    """A folder or file cannot be written: permissions, or no space."""


class DiskFull(EnvironmentIssue):
    """The disk has less room than what is to be written."""


class Busy(EnvironmentIssue):
    """Another process holds the folder or the database."""


class ResultsMissing(EnvironmentIssue):
    """There is no results folder of that name."""


class NewerResults(EnvironmentIssue):
    """A record was written by a newer minizoo than this one; its version is named."""


class BrokenInstallation(EnvironmentIssue):
    """A file that ships with minizoo, or a backend's entry point, is missing or written for another version."""


def causes() -> Iterator[type[MinizooError]]:
    """Every class that is raised, in the order in which they are defined."""
    waiting: list[type[MinizooError]] = [InputError, EnvironmentIssue, InternalError]
    while waiting:
        cause = waiting.pop(0)
        if cause not in (InputError, EnvironmentIssue):
            yield cause
        waiting[:0] = cause.__subclasses__()


def one_line(error: BaseException) -> str:
    """An exception's message without its line breaks."""
    return " ".join(str(error).split())[:300]
