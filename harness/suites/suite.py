"""Suites as data: a named list of tasks with their shots and limits, one YAML file each in `harness/suites`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from harness.named_files import NamedFiles
from zoo.errors import ConflictingOptions, InvalidSuite, SuiteNeeded
from zoo.registry.loader import load_registry

Overflow = Literal["refuse", "truncate"]
FILES = NamedFiles("suite", Path(__file__).parent, InvalidSuite)
ONE_OFF = "custom"
"""What `--tasks A,B` is recorded as: a suite of these tasks alone, which no file has."""


class Decoding(BaseModel):
    """How text is generated, where a suite says it otherwise than the task's own file; None keeps the task's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int | None = Field(default=None, ge=1)
    """Generations of each document."""
    temperature: float | None = Field(default=None, ge=0)
    """0 is greedy."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)


class SuiteTask(BaseModel):
    """One lm-eval task or group of a suite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    shots: int | None = Field(default=None, ge=0)
    """Few-shot examples; None takes the task's own number."""
    metric: str | None = None
    """The metric that the suite is about, e.g. `acc_norm`; the task's others are recorded as well."""
    filter: str | None = None
    """The filter of that metric, where the task has several."""
    decoding: Decoding | None = None
    share: float | None = Field(default=None, gt=0, le=1)
    """The part of each leaf task's documents that the protocol takes, chosen by hash; None takes all."""
    limit: int | None = Field(default=None, gt=0)
    """Documents of each leaf task, chosen by hash; None takes all. For a quick look: a limited task is not the protocol."""
    overflow: Overflow | None = None
    """What to do with a prompt longer than the context; None takes the command's rule."""
    margin: float | None = Field(default=None, gt=0)
    """How far from a published score still counts as reproduced, in the metric's unit; None takes one point or the spread over
    few-shot draws, whichever is larger."""
    assumed: tuple[str, ...] = ()
    """What the source of the protocol does not say, and is taken as here."""


class Suite(BaseModel):
    """A named list of tasks, and the folders that define them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    folders: tuple[str, ...] = ()
    """Folders of lm-eval YAML as `package/path`, e.g. `harness/tasks/nano` or `lm_eval/tasks/arc`, or `./path` from the suite's
    own file."""
    chat: bool = False
    """Put every prompt through the tokenizer's chat template, shots as turns."""
    tasks: tuple[SuiteTask, ...] = Field(min_length=1)
    _home: Path = PrivateAttr(default_factory=Path.cwd)

    def at(self, file: Path) -> Suite:
        """The suite as read from that file, from which its folders `./path` go."""
        self._home = file.absolute().parent
        return self

    def entry(self, task: str) -> SuiteTask | None:
        """The entry of that name."""
        return next((entry for entry in self.tasks if entry.task == task), None)

    def paths(self) -> list[Path]:
        """The folders on this machine; InvalidSuite for one that does not exist."""
        return [_resolve(self.name, folder, self._home) for folder in self.folders]


def suite_names() -> list[str]:
    """Names of the suites that come with minizoo."""
    return FILES.names()


def load_suite(name: str) -> Suite:
    """The suite of that name, or in that YAML file; UnknownName, FileMissing, or InvalidSuite, which says what is wrong."""
    path = FILES.path(name)
    try:
        return Suite.model_validate(FILES.read(path)).at(path)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidSuite(f"{path} is not a suite: {where}: {first['msg']}.", "Correct it and run again.") from None


def suite_of(tasks: Sequence[str], shots: int | None, chat: bool = False) -> Suite:
    """A suite of the tasks given on the command line, recorded as `custom`; they are looked up when it is loaded."""
    return Suite(name=ONE_OFF, chat=chat, tasks=tuple(SuiteTask(task=task, shots=shots) for task in tasks))


@dataclass(frozen=True)
class TaskSelection:
    """What a user says of the tasks: suites by name or YAML file, or tasks by lm-eval's names with their shots."""

    suites: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    shots: int | None = None
    chat: bool = False
    """Put every prompt of the tasks through the tokenizer's chat template."""

    def resolve(self, default: str | None, model: str = "The model") -> list[Suite]:
        """The suites meant, `default` where nothing is said; None is the default of a `model` that has no suite of its own.

        Raises ConflictingOptions for suites together with tasks, for shots without tasks and for `chat` with a suite of plain
        prompts, SuiteNeeded where nothing is said and there is no default, UnknownName and InvalidSuite for a suite that there
        is not.
        """
        if self.suites and self.tasks:
            raise ConflictingOptions("Both a suite and tasks are given.", "Use --suite or --tasks, not both.")
        if self.shots is not None and not self.tasks:
            raise ConflictingOptions(
                "--shots goes with --tasks: a suite says its own.", "Name the tasks, or leave --shots out."
            )
        if self.tasks:
            return [suite_of(self.tasks, self.shots, self.chat)]
        named = self.suites or ((default,) if default else ())
        if not named:
            raise _needed(model)
        suites = [load_suite(name) for name in named]
        plain = [suite.name for suite in suites if not suite.chat]
        if self.chat and plain:
            raise ConflictingOptions(
                f"--chat goes with --tasks: suite {plain[0]} says that its prompts are plain text.",
                "Name the tasks, leave --chat out, or write a suite with `chat: true`.",
            )
        return suites


def check_default(model: str) -> None:
    """Raise SuiteNeeded for a model of the registry that has no suite of its own, by any of its names."""
    entry = load_registry().find(model)
    if entry is not None and entry.suite is None:
        raise _needed(entry.display)


def known_folders() -> dict[str, tuple[str, ...]]:
    """Task name → the folders of the first suite that has it, so that common tasks need no index of lm-eval's."""
    known: dict[str, tuple[str, ...]] = {}
    for name in suite_names():
        suite = load_suite(name)
        for entry in suite.tasks:
            known.setdefault(entry.task, suite.folders)
    return known


def _needed(model: str) -> SuiteNeeded:
    return SuiteNeeded(
        f"{model} is a reasoning model and has no suite of its own: it thinks before it answers, so tasks that score a "
        "likelihood, and those that cut its answer short, say little of it.",
        f"Name what to ask: --suite with one of {', '.join(suite_names())} or a suite's YAML file, or --tasks A,B.",
    )


def _resolve(suite: str, folder: str, home: Path) -> Path:
    if folder.startswith((".", "/")):
        path = home / folder
    else:
        path = _in_package(suite, folder)
    if not path.is_dir():
        raise InvalidSuite(f"Suite {suite} names the folder {folder}, which does not exist.", "Correct its `folders`.")
    return path


def _in_package(suite: str, folder: str) -> Path:
    package, _, rest = folder.partition("/")
    try:
        return Path(next(iter(import_module(package).__path__))) / rest
    except (ImportError, AttributeError, ValueError):  # none of that name, a module without folders, no name
        raise InvalidSuite(
            f"Suite {suite} names the folder {folder}, but there is no package '{package}'.",
            "Name `package/path`, `./path` from the suite's file, or a path that begins with /.",
        ) from None
