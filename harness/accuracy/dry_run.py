"""`--dry-run`: what would run, a row an entry of the suite: exact where data and tokenizer are at hand estimated elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from backends.opening import check_backend
from backends.tokenizer import HfTokenizer
from harness.accuracy.plan import TaskPlan, make_plan, task_documents
from harness.accuracy.prepare import Request, requested_suite
from harness.lmeval.encoding import MAX_NEW_TOKENS, Encoder
from harness.lmeval.prompts import count_of
from harness.lmeval.tasks import LoadedTask, leaf_configs, load_tasks
from harness.metrics.published import Expected, closest_published, documents_of, expected_scores
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS, metadata_of
from harness.stats.intervals import detectable_difference
from harness.suites.suite import Suite, SuiteTask
from zoo.checkpoint.locate import locate
from zoo.errors import EnvironmentIssue, MinizooError
from zoo.registry.loader import Registry, load_registry

Item = TypeVar("Item")

CHARACTERS_A_TOKEN = 4
"""For data without a tokenizer: what English text has in the usual vocabularies, roughly."""
JUDGED = {"multiple_choice", "generate_until", "loglikelihood"}
"""Kinds of task whose metrics are shares, where the suite names none."""


@dataclass(frozen=True)
class Forecast:
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


@dataclass(frozen=True)
class _Work:
    """What an entry asks for."""

    kind: str
    """lm-eval's output type."""
    shots: int | None
    documents: int | None = None
    total: int | None = None
    requests: int | None = None
    tokens: int | None = None
    basis: str | None = None
    truncated: int | None = None


def dry_run(request: Request, tokenizer: Path | None = None) -> tuple[Suite, list[Forecast], dict[str, str]]:
    """The suite, a forecast of each of its entries, and what is not at hand (the tokenizer, an entry's data) with the reason.

    Nothing is downloaded.

    `tokenizer` stands in for the checkpoint's own. Prompts that do not fit are counted, not refused.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is first imported
    suite = requested_suite(request)
    check_backend(request.backend)
    registry = load_registry()
    model = registry.find(request.model)
    missing: dict[str, MinizooError] = {}
    encoder = _encoder(request, tokenizer, registry, missing)
    absent: dict[str, MinizooError] = {}
    loaded = load_tasks(suite, request.data, request.limit, request.overflow, absent)
    if encoder is not None:
        works = _planned(make_plan(loaded, encoder, request.fewshot_seeds))
    else:
        works = _counted(loaded.tasks.values(), request.fewshot_seeds)
    expected = expected_scores(registry, model.id) if model else []
    rows = [
        _forecast(entry, works.get(entry.task) or _estimated(suite, entry, request, registry), request, expected)
        for entry in suite.tasks
    ]
    return suite, rows, {name: str(error) for name, error in {**missing, **absent}.items()}


def _encoder(
    request: Request, tokenizer: Path | None, registry: Registry, missing: dict[str, MinizooError]
) -> Encoder | None:
    """The encoder of the tokenizer given, else of the checkpoint; None where a registry model's is not at hand."""
    model = registry.find(request.model)
    context = model.architecture.max_context if model else None
    if tokenizer is not None and context is not None:
        return Encoder(HfTokenizer(tokenizer), context, request.seed)
    try:
        checkpoint = locate(request.model)
    except EnvironmentIssue as error:
        if model is None:
            raise
        missing["the tokenizer"] = error
        return None
    return Encoder(HfTokenizer(tokenizer or checkpoint.folder), checkpoint.max_length, request.seed)


def _planned(plans: Sequence[TaskPlan]) -> dict[str, _Work]:
    """What is exact: entry → the work of its leaves."""
    return {
        task: _Work(
            kind=below[0].loaded.task.OUTPUT_TYPE,
            shots=_same([plan.loaded.shots for plan in below]),
            documents=sum(len(plan.documents) for plan in below),
            total=sum(plan.documents_total for plan in below),
            requests=sum(plan.requests for plan in below),
            tokens=sum(plan.tokens for plan in below),
            truncated=sum(plan.truncated for plan in below),
        )
        for task, below in _by_entry(plans, lambda plan: plan.loaded).items()
    }


def _counted(tasks: Iterable[LoadedTask], seeds: int) -> dict[str, _Work]:
    """Data without a tokenizer: entry → the work of its leaves, requests exact, tokens by their characters."""
    works: dict[str, _Work] = {}
    for task, below in _by_entry(tasks, lambda loaded: loaded).items():
        made = [task_documents(loaded) for loaded in below]
        instances = [instance for documents, _ in made for document in documents for instance in document.instances]
        config, shots = below[0].task.config.to_dict(), _same([loaded.shots for loaded in below])
        draws = _draws(config, shots, seeds)
        requests = draws * sum(instance.repeats or 1 for instance in instances)
        characters = draws * sum((instance.repeats or 1) * len("".join(_texts(instance))) for instance in instances)
        works[task] = _Work(
            kind=below[0].task.OUTPUT_TYPE,
            shots=shots,
            documents=sum(len(documents) for documents, _ in made),
            total=sum(total for _, total in made),
            requests=requests,
            tokens=characters // CHARACTERS_A_TOKEN + requests * _generated(config),
            basis=f"{CHARACTERS_A_TOKEN} characters a token",
        )
    return works


def _by_entry(items: Iterable[Item], task_of: Callable[[Item], LoadedTask]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(task_of(item).entry.task, []).append(item)
    return found


def _texts(instance: Any) -> list[str]:
    return [text for text in instance.args if isinstance(text, str)]


def _estimated(suite: Suite, entry: SuiteTask, request: Request, registry: Registry) -> _Work:
    """No data: documents by the registry, requests and tokens by the sizes measured once (harness/metrics/task_metadata.yaml)."""
    configs = leaf_configs(suite, entry)
    shots = _same([config["num_fewshot"] for config in configs])
    kind, facts, total = configs[0].get("output_type", ""), metadata_of(entry.task), documents_of(registry, entry.task)
    if total is None or facts.size is None or shots is None:
        return _Work(kind, shots, total=total)
    limit = request.limit or entry.limit
    documents = count_of(total, limit and limit * len(configs), entry.share) or total
    repeats = max(config.get("repeats") or 1 for config in configs)
    draws = _draws(configs[0], shots, request.fewshot_seeds)
    requests = round(documents * facts.size.requests * repeats) * draws
    each = facts.size.tokens + shots * facts.size.example + max(map(_generated, configs))
    basis = f"GPT-2's tokens in {facts.size_of}"
    return _Work(kind, shots, documents, total, requests, round(requests * each), basis)


def _draws(config: Mapping[str, Any], shots: int | None, seeds: int) -> int:
    """How often a task is run: once where it has no examples or always takes the first ones."""
    first = (config.get("fewshot_config") or {}).get("sampler") == "first_n"
    return 1 if first or not shots else seeds


def _generated(config: Mapping[str, Any]) -> int:
    """Tokens that an answer may have."""
    if config.get("output_type") != "generate_until":
        return 0
    return (config.get("generation_kwargs") or {}).get("max_gen_toks") or MAX_NEW_TOKENS


def _forecast(entry: SuiteTask, work: _Work, request: Request, expected: Sequence[Expected]) -> Forecast:
    published = closest_published(expected, entry.task, entry.metric, work.shots)
    facts = metadata_of(entry.task)
    at = published.value if published and 0 < published.value < 1 else 0.5
    is_share = entry.metric in UNIT_INTERVAL_METRICS if entry.metric else work.kind in JUDGED
    return Forecast(
        task=entry.task,
        shots=work.shots,
        documents=work.documents,
        documents_total=work.total,
        requests=work.requests,
        tokens=work.tokens,
        tokens_basis=work.basis,
        truncated=work.truncated,
        overflow=request.overflow or entry.overflow or "refuse",
        published=published.printed if published else None,
        published_in=published.origin if published else None,
        detectable_difference=detectable_difference(work.documents, at) if work.documents and is_share else None,
        shared_units=facts.unit if facts.cluster else None,
        assumed=entry.assumed,
    )


def _same(numbers: Sequence[int | None]) -> int | None:
    """The one number that all of them are; None where they differ."""
    return numbers[0] if len(set(numbers)) == 1 else None
