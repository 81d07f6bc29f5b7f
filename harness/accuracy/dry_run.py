"""`--dry-run`: what would run, a row an entry of the suite; exact where data and tokenizer are at hand, else estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backends.opening import default_backend, told_of_seats
from backends.several.seats import in_one_process
from backends.tokenizer import HfTokenizer
from harness.accuracy.memory_need import MemoryNeed, memory_of
from harness.accuracy.plan import TaskPlan, make_plan, units_of
from harness.accuracy.prepare import EvalRequest, chat_of
from harness.accuracy.times.entry_work import EntryWork, counted, estimated, planned
from harness.accuracy.times.flops import flops_of
from harness.accuracy.times.pace import Amount
from harness.accuracy.times.place import place_of
from harness.accuracy.times.probe import Probe
from harness.data.offline import hub_offline
from harness.lmeval.encoding import Encoder
from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import Chat
from harness.lmeval.vocabulary import check_vocabulary, rows_of
from harness.metrics.published import Expected, closest_published, expected_scores
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS, metadata_of
from harness.records.measured_work import Identity, Place
from harness.stats.power import detectable_difference
from harness.suites.suite import Suite, SuiteTask
from zoo.checkpoint.locate import Outline, outline
from zoo.checkpoint.model_ref import ModelRef
from zoo.checkpoint.pickled.conversion import pickled_weights
from zoo.errors import ChatTemplateMissing, EnvironmentIssue, MinizooError
from zoo.registry.loader import load_registry

JUDGED = {"multiple_choice", "generate_until", "loglikelihood"}
"""Kinds of task whose metrics lie between 0 and 1, where the suite names none."""
TOKENIZER, TEMPLATE = "the tokenizer", "the chat template"
"""What of a model may be missing; an entry of the suite is missing by its own name."""


@dataclass(frozen=True)
class PlannedTask:
    """One entry of the suite: its own task, or a group with all its leaves. None is what cannot be told."""

    task: str
    shots: int | None
    documents: int | None
    documents_total: int | None
    requests: int | None
    tokens: int | None
    tokens_basis: str | None
    """What an estimated number of tokens rests on; None where it is exact."""
    truncated: int | None
    overflow: str
    published: float | None
    """As printed."""
    published_in: str | None
    detectable_difference: float | None
    """Between two such runs, documents taken as independent, at the published value where there is one, else at 0.5."""
    shared_units: str | None
    """What several documents share; the difference that can be detected is then larger."""
    assumed: tuple[str, ...]
    amount: Amount
    """Scores apart from generated text, as an estimate of time takes them."""


@dataclass(frozen=True)
class DryRun:
    """What an evaluation would run."""

    model: ModelRef
    suite: Suite
    tasks: Sequence[PlannedTask]
    missing: Mapping[str, MinizooError]
    """What is not at hand (the tokenizer, the chat template, an entry's data), and why."""
    notes: Sequence[str] = ()
    """What else the user is to know."""
    flops: int | None = None
    """Of a token; None where the model's dimensions are not at hand or have no closed form."""
    place: Place | None = None
    """Where it would run; None where this machine has no such device."""
    memory: Sequence[MemoryNeed] = ()
    """Of the device, and of the host where a GPU computes."""
    probe: Probe | None = None
    """What a probe would run; None where it cannot."""
    unprobed: str = ""
    """Why it cannot."""

    @property
    def identity(self) -> Identity:
        """The model, as what earlier runs took is filed under."""
        local = self.model.folder if self.model.kind == "folder" else None
        return Identity(self.model.kind, self.model.id, str(local.resolve()) if local else None)


def dry_run(request: EvalRequest, tokenizer: Path | None = None) -> DryRun:
    """Plan the evaluation and run nothing; nothing is downloaded.

    `tokenizer` stands in for the checkpoint's own. Prompts that do not fit are counted, not refused. Raises what the
    request's words raise, what locating a local checkpoint raises, and TokenOutsideVocabulary.
    """
    with hub_offline():
        return _dry_run(request, tokenizer)


def _dry_run(request: EvalRequest, tokenizer_folder: Path | None) -> DryRun:
    model, suite = request.resolve()
    missing: dict[str, MinizooError] = {}
    local = None if model.entry else outline(model)
    at_hand = local or _at_hand(model)
    tokenizer, encoder = _encoder(request, model, at_hand, tokenizer_folder, missing)
    plans: list[TaskPlan] = []
    chat = _chat(suite, tokenizer, model, missing)
    counts = tokenizer_folder or model.folder
    rules = request.rules
    loaded = load_tasks(suite, request.data, rules.limit, rules.overflow, counts, keep_lost=True)
    if tokenizer is not None and encoder is not None:
        unsuited: dict[str, MinizooError] = {}
        plans = make_plan(loaded, encoder, rules.fewshot_seeds, chat, unsuited)
        loaded = loaded.without(unsuited)
        plans = [plan for plan in plans if plan.name in loaded.tasks]
        check_vocabulary(units_of(plans), _rows(model, local), tokenizer)
        works = planned(plans)
    else:
        works = counted(loaded.tasks.values(), rules.fewshot_seeds)
    if suite.chat and chat is None:
        works = {task: replace(work, basis=_without_template(work.basis)) for task, work in works.items()}
    missing |= {task.name: task.error for task in loaded.lost}
    works = {task: work for task, work in works.items() if task not in {lost.entry.task for lost in loaded.lost}}
    registry = load_registry()
    expected = expected_scores(registry, model.id) if model.entry else []
    tasks = [
        _row(entry, works.get(entry.task) or estimated(suite, entry, rules, registry), request, expected)
        for entry in suite.tasks
    ]
    whole = at_hand if isinstance(at_hand, Outline) else None
    backend = request.backend or (default_backend(whole) if whole else "hf")
    options = in_one_process(request.options)
    place = place_of(backend, options, whole.config if whole else {})
    amounts = {task.task: task.amount for task in tasks}
    memory = memory_of(model, whole, backend, options, place, amounts, bool(plans) and not missing)
    unprobed = _unprobed(whole, plans, memory)
    units = [unit for plan in plans for unit in plan.units]
    probe = None if unprobed or not whole else Probe(whole, backend, options, units, memory[0].slots)
    notes = [*_notes(local, tokenizer), *told_of_seats(backend, request.options)]
    return DryRun(model, suite, tasks, missing, notes, flops_of(model, local), place, memory, probe, unprobed)


def _encoder(
    request: EvalRequest,
    model: ModelRef,
    at_hand: Outline | MinizooError,
    folder: Path | None,
    missing: dict[str, MinizooError],
) -> tuple[HfTokenizer | None, Encoder | None]:
    """The tokenizer given, else the checkpoint's; None where a registry model's is not at hand."""
    context = model.entry.architecture.max_context if model.entry else None
    if folder is None or context is None:
        if isinstance(at_hand, EnvironmentIssue):
            missing[TOKENIZER] = at_hand
            return None, None
        if isinstance(at_hand, MinizooError):
            raise at_hand
        folder, context = folder or at_hand.folder, at_hand.max_length
    tokenizer = HfTokenizer(folder)
    return tokenizer, Encoder(tokenizer, context, request.seed)


def _at_hand(model: ModelRef) -> Outline | MinizooError:
    """A registry model's outline, or why there is none: the hub would have to be asked for it, or what is here is broken."""
    try:
        return outline(model)
    except MinizooError as error:
        return error


def _unprobed(at_hand: Outline | None, plans: Sequence[TaskPlan], memory: Sequence[MemoryNeed]) -> str:
    """Why the model cannot be probed; empty where it can."""
    if at_hand is None or at_hand.missing_bytes:
        return "its weights are not here, and a dry run fetches none"
    if pickled_weights(at_hand.folder):
        return "its weights are pickled, and a dry run converts none"
    if not plans:
        return "none of its prompts can be made"
    return "it does not fit into the memory" if any(need.fits is False for need in memory) else ""


def _rows(model: ModelRef, local: Outline | None) -> int | None:
    """Rows of the embedding: the registry's, else those of a local config.json."""
    if local is not None:
        return rows_of(local.config)
    return model.entry.architecture.vocab_size if model.entry else None


def _notes(local: Outline | None, tokenizer: HfTokenizer | None) -> tuple[str, ...]:
    """What is told of the tokenizer, and of the context of a model that is no entry of the registry."""
    context = local.context.note if local else None
    return tuple(filter(None, (tokenizer.note if tokenizer else None, context)))


def _chat(
    suite: Suite, tokenizer: HfTokenizer | None, model: ModelRef, missing: dict[str, MinizooError]
) -> Chat | None:
    """The chat template of a suite that wants one; where it is not at hand, `missing` says why."""
    if tokenizer is None:
        return None
    try:
        return chat_of(suite, tokenizer, model)
    except ChatTemplateMissing as error:
        missing[TEMPLATE] = error
        return None


def _without_template(basis: str | None) -> str:
    return ", ".join(filter(None, (basis, "prompts without the chat template")))


def _row(entry: SuiteTask, work: EntryWork, request: EvalRequest, expected: Sequence[Expected]) -> PlannedTask:
    published = closest_published(expected, entry.task, entry.metric, work.shots)
    metadata = metadata_of(entry.task)
    at = published.value if published and 0 < published.value < 1 else 0.5
    unit_interval = entry.metric in UNIT_INTERVAL_METRICS if entry.metric else work.kind in JUDGED
    return PlannedTask(
        task=entry.task,
        shots=work.shots,
        documents=work.documents,
        documents_total=work.total,
        requests=work.requests,
        tokens=work.tokens,
        tokens_basis=work.basis,
        truncated=work.truncated,
        overflow=request.rules.overflow or entry.overflow or "refuse",
        published=published.printed if published else None,
        published_in=published.origin if published else None,
        detectable_difference=detectable_difference(work.documents, at) if work.documents and unit_interval else None,
        shared_units=metadata.unit if metadata.cluster else None,
        assumed=entry.assumed,
        amount=work.amount,
    )
