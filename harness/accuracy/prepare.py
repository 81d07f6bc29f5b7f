"""What to evaluate and how, from a user's request to units of work: everything that is decided before a model runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from backends.contract import Options
from backends.memory import check_device
from backends.opening import check_backend, default_backend
from backends.tokenizer import HfTokenizer
from harness.accuracy.left_out import refuse_without_packages, refuse_without_tasks, told_of_data
from harness.accuracy.plan import TaskPlan, check_overflow, make_plan, units_of
from harness.lmeval.encoding import Encoder, Unit
from harness.lmeval.loading.tasks import LoadedSuite, Tell, load_tasks
from harness.lmeval.prompts import Chat
from harness.lmeval.vocabulary import check_vocabulary, rows_of
from harness.records.record import Record
from harness.suites.suite import Overflow, Suite, TaskSelection
from zoo.checkpoint.locate import Outline, outline
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.errors import ChatTemplateMissing, MinizooError

DEFAULT_SUITE = "smoke"
"""For a model that is no entry of the registry."""


@dataclass(frozen=True)
class DocumentRules:
    """Which documents of each task, in which prompts; None leaves it to the suite."""

    limit: int | None = None
    """Documents of each leaf task."""
    overflow: Overflow | None = None
    """What to do with a prompt longer than the context."""
    fewshot_seeds: int = 1
    """Draws of few-shot examples, lm-eval's own first."""


@dataclass(frozen=True)
class EvalRequest:
    """The words of `minizoo eval`."""

    model: str
    name: str | None = None
    """What a local or hub model is to be called in results."""
    parent: str | None = None
    """The model that a local or hub model was made from."""
    selection: TaskSelection = field(default_factory=TaskSelection)
    backend: str | None = None
    """None is what fits the model: `pruned` for a folder that only it can run, else `hf`."""
    options: Options = field(default_factory=Options)
    rules: DocumentRules = field(default_factory=DocumentRules)
    data: Path | None = None
    """A local mirror of hub data sets."""
    seed: int = 0
    """Of sampled generations."""

    def resolve(self) -> tuple[ModelRef, Suite]:
        """The model and the suite that are meant. Raises what resolving either raises, and UnknownName for the backend."""
        model = resolve(self.model, self.name, self.parent)
        default = model.entry.suite if model.entry else DEFAULT_SUITE
        (suite,) = self.selection.resolve(default, model.shown)
        if self.backend is not None:
            check_backend(self.backend)
        return model, suite


class EvalWatcher(Protocol):
    """Is told how an evaluation goes on, e.g. to draw a progress bar."""

    def begins(self, phase: str) -> None:
        """What the run does from now on: `preparing`, `loading the model`, `scoring`, `generating`."""
        ...

    def fetched(self, step: str, done: int, of: int) -> None:
        """So many bytes of the weights are there, of so many."""
        ...

    def planned(self, plans: Sequence[TaskPlan]) -> None:
        """This is what will be done."""
        ...

    def noted(self, line: str) -> None:
        """This is to be known of the run, whatever comes of it."""
        ...

    def answered(self, unit: Unit, computed: bool) -> None:
        """A unit of work has its answer; `computed` is False for one that an interrupted run left."""
        ...

    def recorded(self, record: Record) -> None:
        """A task has its record."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """An evaluation ready to run: its prompts are built, encoded and known to fit. No weight was fetched for it."""

    request: EvalRequest
    outline: Outline
    backend: str
    """The backend that runs it."""
    suite: Suite
    loaded: LoadedSuite
    plans: Sequence[TaskPlan]
    chat_template: str | None = None
    """sha256 of the chat template that every prompt went through; None for plain text."""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the record says of the tokenizer beside the versions of software: nothing of an ordinary one."""
    notes: Sequence[str] = ()
    """What the user is to know before anything runs."""
    prepare_s: float = 0.0
    """Seconds that preparing it took."""


def prepare(request: EvalRequest, tell: Tell | None = None) -> Evaluation:
    """All that can refuse an evaluation before a weight of its model is fetched: load the tasks, build and encode every prompt.

    What of the suite has no data, or cannot be made of them, is left out and named in `loaded.lost`. `tell` is told of data
    that are fetched in another way. Raises UnknownModel, UnknownName, UnknownTask and ConflictingOptions for the request's
    words, what `outline` raises for a model and `check_device` for the device, ChatTemplateMissing, what is wrong with a
    task's text, PackageMissing, TokenOutsideVocabulary, PromptTooLong where the rule is `refuse`, and where no task can run
    the cause.
    """
    model, suite = request.resolve()
    outlined = outline(model)
    backend = request.backend or default_backend(outlined)
    check_device(outlined, backend, request.options)
    tokenizer = HfTokenizer(outlined.folder)
    chat = chat_of(suite, tokenizer, model)
    rules = request.rules
    loaded = load_tasks(suite, request.data, rules.limit, rules.overflow, outlined.folder, keep_lost=True, tell=tell)
    refuse_without_packages(loaded.lost)
    refuse_without_tasks(suite, loaded)
    encoder = Encoder(tokenizer, outlined.max_length, request.seed)
    unsuited: dict[str, MinizooError] = {}
    plans = make_plan(loaded, encoder, rules.fewshot_seeds, chat, unsuited)
    loaded = loaded.without(unsuited)
    refuse_without_tasks(suite, loaded)
    plans = [plan for plan in plans if plan.name in loaded.tasks]
    check_vocabulary(units_of(plans), rows_of(outlined.config), tokenizer)
    check_overflow(plans)
    template = hashlib.sha256((tokenizer.chat_template or "").encode()).hexdigest() if chat else None
    versions = {"tokenizer": tokenizer.rules} if tokenizer.rules else {}
    notes = tuple(filter(None, (tokenizer.note, outlined.context.note, *told_of_data(loaded))))
    return Evaluation(request, outlined, backend, suite, loaded, plans, template, versions, notes)


def chat_of(suite: Suite, tokenizer: HfTokenizer, model: ModelRef) -> Chat | None:
    """The chat template for a suite that wants one, None for plain text; ChatTemplateMissing where it wants one in vain."""
    if not suite.chat:
        return None
    if tokenizer.chat_template is None:
        raise ChatTemplateMissing(
            f"Suite {suite.name} puts every prompt through the tokenizer's chat template, and {model.shown} has none: "
            "it is no instruction-tuned model.",
            "Take a suite for base models (`smoke`, `paper`), or an instruct model.",
        )
    return tokenizer.chat
