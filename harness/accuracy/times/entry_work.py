"""How much work an entry of a suite is: exact from a plan, by characters without a tokenizer, by known sizes without data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from backends.contract import GenerateRequest, ScoreRequest
from backends.packing.prefix_tree import PrefixTree
from backends.packing.score import tree_of
from harness.accuracy.plan import TaskPlan, task_documents
from harness.accuracy.prepare import DocumentRules
from harness.accuracy.times.pace import Amount
from harness.lmeval.loading.generation import new_tokens
from harness.lmeval.loading.tasks import LoadedTask, leaf_configs
from harness.lmeval.prompts import count_of
from harness.metrics.published import documents_of
from harness.metrics.task_metadata import metadata_of
from harness.suites.suite import Suite, SuiteTask
from zoo.registry.loader import Registry

Item = TypeVar("Item")

CHARACTERS_A_TOKEN = 4
"""For data without a tokenizer: what English text has in the usual vocabularies, roughly."""
LONGEST = 2
"""Times as long as the mean that the longest request is taken to be where there are no data."""


@dataclass(frozen=True)
class EntryWork:
    """What an entry of a suite asks for; None is what cannot be told."""

    kind: str
    """lm-eval's output type."""
    shots: int | None
    documents: int | None = None
    total: int | None = None
    requests: int | None = None
    tokens: int | None = None
    basis: str | None = None
    """What an estimate rests on; None where the numbers are exact."""
    truncated: int | None = None
    amount: Amount = field(default_factory=Amount)
    """The same as computing takes it: scores apart from generated text."""


@dataclass(frozen=True)
class Asked:
    """What of a plan decides its memory."""

    score_tokens: int
    generations: int
    prompt_tokens: int
    longest_scored: int
    longest_generated: int
    unknown: tuple[str, ...] = ()
    """Tasks whose requests cannot be told; they are left out."""


def planned(plans: Sequence[TaskPlan]) -> dict[str, EntryWork]:
    """Exact: entry → the work of its leaf tasks."""
    return {
        task: EntryWork(
            kind=below[0].loaded.task.OUTPUT_TYPE,
            shots=_same([plan.loaded.shots for plan in below]),
            documents=sum(len(plan.documents) for plan in below),
            total=sum(plan.documents_total for plan in below),
            requests=sum(plan.requests for plan in below),
            tokens=sum(plan.tokens for plan in below),
            truncated=sum(plan.truncated for plan in below),
            amount=_amount(below),
        )
        for task, below in _by_entry(plans, lambda plan: plan.loaded).items()
    }


def counted(tasks: Iterable[LoadedTask], seeds: int) -> dict[str, EntryWork]:
    """Data without a tokenizer: entry → the work of its leaf tasks, requests exact, tokens by their characters."""
    works: dict[str, EntryWork] = {}
    for task, below in _by_entry(tasks, lambda loaded: loaded).items():
        made = [task_documents(loaded) for loaded in below]
        instances = [instance for documents, _ in made for document in documents for instance in document.instances]
        config, shots = below[0].task.config.to_dict(), _same([loaded.shots for loaded in below])
        draws = _draws(config, shots, seeds)
        requests = draws * sum(instance.repeats or 1 for instance in instances)
        characters = draws * sum((instance.repeats or 1) * len("".join(_texts(instance))) for instance in instances)
        new = requests * _generated(config)
        works[task] = EntryWork(
            kind=below[0].task.OUTPUT_TYPE,
            shots=shots,
            documents=sum(len(documents) for documents, _ in made),
            total=sum(total for _, total in made),
            requests=requests,
            tokens=characters // CHARACTERS_A_TOKEN + new,
            basis=f"{CHARACTERS_A_TOKEN} characters a token",
            amount=_rough(characters // CHARACTERS_A_TOKEN, new, requests, _longest(instances), _generated(config)),
        )
    return works


def estimated(suite: Suite, entry: SuiteTask, rules: DocumentRules, registry: Registry) -> EntryWork:
    """No data: documents by the registry, requests and tokens by sizes measured once (harness/metrics/task_metadata.yaml)."""
    configs = leaf_configs(suite, entry)
    shots = _same([config["num_fewshot"] for config in configs])
    kind, metadata = configs[0].get("output_type", ""), metadata_of(entry.task)
    total = documents_of(registry, entry.task)
    if total is None or metadata.size is None or shots is None:
        return EntryWork(kind, shots, total=total)
    limit = rules.limit or entry.limit
    documents = count_of(total, limit and limit * len(configs), entry.share) or total
    repeats = max(config.get("repeats") or 1 for config in configs)
    draws = _draws(configs[0], shots, rules.fewshot_seeds)
    requests = round(documents * metadata.size.requests * repeats) * draws
    new = max(map(_generated, configs))
    read = metadata.size.tokens + shots * metadata.size.example
    amount = _rough(round(requests * read), requests * new, requests, round(LONGEST * read), new)
    basis = f"GPT-2's tokens in {metadata.size_of}"
    return EntryWork(kind, shots, documents, total, requests, round(requests * (read + new)), basis, amount=amount)


def asked_of(amounts: Mapping[str, Amount]) -> Asked:
    """The plan's requests, all tasks together, as the engine is given them."""
    known = {task: amount for task, amount in amounts.items() if amount.score_tokens is not None}
    found = list(known.values())
    return Asked(
        score_tokens=sum(amount.score_tokens or 0 for amount in found),
        generations=sum(amount.generations for amount in found),
        prompt_tokens=sum(amount.prompt_tokens or 0 for amount in found),
        longest_scored=max((amount.longest_scored or 0 for amount in found), default=0),
        longest_generated=max((amount.longest_generated or 0 for amount in found), default=0),
        unknown=tuple(task for task in amounts if task not in known),
    )


def _amount(plans: Sequence[TaskPlan]) -> Amount:
    asked = [unit.request for plan in plans for unit in plan.units]
    scored = [request for request in asked if isinstance(request, ScoreRequest)]
    generated = [request for request in asked if isinstance(request, GenerateRequest)]
    tree = tree_of(scored)
    return Amount(
        score_tokens=len(tree),
        shared=True,
        new_tokens=sum(request.max_new_tokens for request in generated),
        generations=len(generated),
        asked_tokens=tree.asked_tokens,
        prompt_tokens=len(PrefixTree((r.prompt for r in generated), [(0,)] * len(generated))),
        longest_scored=max((len(r.context) + len(r.continuation) - 1 for r in scored), default=0),
        longest_generated=max((len(r.prompt) + r.max_new_tokens for r in generated), default=0),
    )


def _rough(read: int, new: int, requests: int, longest: int, limit: int) -> Amount:
    """Of one kind of request, without their tokens: `read` tokens in all, `longest` of one, answers of `limit` at most."""
    if new:
        return Amount(0, True, new, requests, 0, read, longest_scored=0, longest_generated=longest + limit)
    return Amount(read, False, 0, asked_tokens=read, prompt_tokens=0, longest_scored=longest, longest_generated=0)


def _by_entry(items: Iterable[Item], task_of: Callable[[Item], LoadedTask]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(task_of(item).entry.task, []).append(item)
    return found


def _longest(instances: Sequence[Any]) -> int:
    return max((len("".join(_texts(instance))) for instance in instances), default=0) // CHARACTERS_A_TOKEN


def _texts(instance: Any) -> list[str]:
    return [text for text in instance.args if isinstance(text, str)]


def _draws(config: Mapping[str, Any], shots: int | None, seeds: int) -> int:
    """How often a task is run: once where it has no examples or always takes the first ones."""
    first = (config.get("fewshot_config") or {}).get("sampler") == "first_n"
    return 1 if first or not shots else seeds


def _generated(config: Mapping[str, Any]) -> int:
    """Tokens that an answer may have."""
    if config.get("output_type") != "generate_until":
        return 0
    return new_tokens(config.get("generation_kwargs"))


def _same(numbers: Sequence[int | None]) -> int | None:
    """The one number that all of them are; None where they differ."""
    return numbers[0] if len(set(numbers)) == 1 else None
