"""What to evaluate and how, from a user's request to units of work: everything that is decided before a model runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backends.contract import Options
from backends.opening import check_backend
from backends.tokenizer import HfTokenizer
from harness.accuracy.plan import TaskPlan, check_overflow, make_plan
from harness.accuracy.vocabulary import check_vocabulary, rows_of
from harness.lmeval.encoding import Encoder
from harness.lmeval.prompts import Chat
from harness.lmeval.tasks import LoadedSuite, load_tasks
from harness.suites.suite import Overflow, Suite, TaskSelection
from zoo.checkpoint.locate import Checkpoint, locate
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.errors import ChatTemplateMissing

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
    backend: str = "hf"
    options: Options = field(default_factory=Options)
    rules: DocumentRules = field(default_factory=DocumentRules)
    data: Path | None = None
    """A local mirror of hub data sets."""
    seed: int = 0
    """Of sampled generations."""

    def resolve(self) -> tuple[ModelRef, Suite]:
        """The model and the suite that are meant. Raises what resolving either raises, and UnknownName for the backend."""
        model = resolve(self.model, self.name, self.parent)
        (suite,) = self.selection.resolve(model.entry.default_suite if model.entry else DEFAULT_SUITE)
        check_backend(self.backend)
        return model, suite


@dataclass(frozen=True)
class Evaluation:
    """An evaluation ready to run: its prompts are built, encoded and known to fit."""

    request: EvalRequest
    checkpoint: Checkpoint
    suite: Suite
    loaded: LoadedSuite
    plans: Sequence[TaskPlan]
    chat_template: str | None = None
    """sha256 of the chat template that every prompt went through; None for plain text."""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the record says of the tokenizer beside the versions of software: nothing of an ordinary one."""
    notes: Sequence[str] = ()
    """What the user is to know before anything runs."""


def prepare(request: EvalRequest) -> Evaluation:
    """Find the checkpoint, load the tasks, build and encode every prompt.

    Raises UnknownModel, UnknownName, UnknownTask and ConflictingOptions for the request's words, what `locate` raises for a
    checkpoint, ChatTemplateMissing, what loading a task raises, TokenOutsideVocabulary, and PromptTooLong where the rule is
    `refuse`.
    """
    model, suite = request.resolve()
    checkpoint = locate(model)
    tokenizer = HfTokenizer(checkpoint.folder)
    chat = chat_of(suite, tokenizer, model)
    loaded = load_tasks(suite, request.data, request.rules.limit, request.rules.overflow, tokenizer=checkpoint.folder)
    encoder = Encoder(tokenizer, checkpoint.max_length, request.seed)
    plans = make_plan(loaded, encoder, request.rules.fewshot_seeds, chat)
    check_vocabulary(plans, rows_of(checkpoint.config), tokenizer)
    check_overflow(plans)
    template = hashlib.sha256((tokenizer.chat_template or "").encode()).hexdigest() if chat else None
    versions = {"tokenizer": tokenizer.rules} if tokenizer.rules else {}
    notes = tuple(filter(None, (tokenizer.note, checkpoint.context.note)))
    return Evaluation(request, checkpoint, suite, loaded, plans, template, versions, notes)


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
