"""What to evaluate and how, from a user's words to units of work: everything that is decided before a model runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backends.contract import Options
from backends.opening import check_backend
from backends.tokenizer import HfTokenizer
from harness.accuracy.plan import TaskPlan, check_overflow, make_plan
from harness.lmeval.encoding import Encoder
from harness.lmeval.tasks import LoadedSuite, load_tasks
from harness.suites.suite import Overflow, Suite, load_suite, suite_of
from zoo.checkpoint.locate import Checkpoint, locate
from zoo.errors import InputError
from zoo.registry.loader import load_registry

DEFAULT_SUITE = "smoke"
"""For a checkpoint that is no entry of the registry."""


@dataclass(frozen=True)
class Request:
    """The words of `minizoo eval`."""

    model: str
    suite: str | None = None
    tasks: tuple[str, ...] = ()
    shots: int | None = None
    backend: str = "hf"
    options: Options = field(default_factory=Options)
    limit: int | None = None
    overflow: Overflow | None = None
    data: Path | None = None
    seed: int = 0
    fewshot_seeds: int = 1
    """Draws of few-shot examples, lm-eval's own first."""


@dataclass(frozen=True)
class Evaluation:
    """An evaluation ready to run: its prompts are built, encoded and known to fit."""

    request: Request
    checkpoint: Checkpoint
    suite: Suite
    loaded: LoadedSuite
    plans: Sequence[TaskPlan]
    chat_template: str | None = None
    """sha256 of the chat template that every prompt went through; None for plain text."""


def prepare(request: Request) -> Evaluation:
    """Find the checkpoint, load the tasks, build and encode every prompt.

    Raises InputError for unknown names, a broken checkpoint, or prompts that do not fit where the rule is `refuse`;
    EnvironmentIssue for data or weights that cannot be had.
    """
    suite = requested_suite(request)
    check_backend(request.backend)
    checkpoint = locate(request.model)
    tokenizer = HfTokenizer(checkpoint.folder)
    loaded, plans = _plans(request, suite, tokenizer, checkpoint.max_length)
    check_overflow(plans)
    template = hashlib.sha256((tokenizer.chat_template or "").encode()).hexdigest() if suite.chat else None
    return Evaluation(request, checkpoint, suite, loaded, plans, template)


def requested_suite(request: Request) -> Suite:
    """The suite that the request means: its own, its tasks, or the model's default."""
    if request.suite and request.tasks:
        raise InputError("Both a suite and tasks are given.", "Use --suite or --tasks, not both.")
    if request.shots is not None and not request.tasks:
        raise InputError("--shots goes with --tasks: a suite says its own.", "Name the tasks, or leave --shots out.")
    if request.tasks:
        return suite_of(request.tasks, request.shots)
    model = load_registry().find(request.model)
    return load_suite(request.suite or (model.default_suite if model else DEFAULT_SUITE))


def _plans(
    request: Request, suite: Suite, tokenizer: HfTokenizer, max_length: int
) -> tuple[LoadedSuite, list[TaskPlan]]:
    if suite.chat and tokenizer.chat_template is None:
        raise InputError(
            f"Suite {suite.name} puts every prompt through the tokenizer's chat template, and {request.model} has none: "
            "it is no instruction-tuned model.",
            "Take a suite for base models (`smoke`, `paper`), or an instruct model.",
        )
    loaded = load_tasks(suite, request.data, request.limit, request.overflow)
    encoder = Encoder(tokenizer, max_length, request.seed)
    return loaded, make_plan(loaded, encoder, request.fewshot_seeds, tokenizer.chat if suite.chat else None)
