"""What minizoo knows of tasks beyond their YAML: what counts as independent, what guessing scores, what papers call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

UNIT_INTERVAL_METRICS = frozenset(
    {"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "em", "f1", "rouge1", "rouge2", "rougeL", "pass@1",
     "pass@10", "prompt_level_strict_acc", "prompt_level_loose_acc", "inst_level_strict_acc", "inst_level_loose_acc"}
)  # fmt: skip
"""Metrics whose value for a document lies between 0 and 1."""


@dataclass(frozen=True)
class Size:
    """A document's prompts, to estimate a run by when the data or the tokenizer is not at hand."""

    requests: float
    """Requests a document, on average."""
    tokens: float
    """Tokens of a request without examples, on average."""
    example: float = 0.0
    """Tokens that each example adds."""


@dataclass(frozen=True)
class TaskMetadata:
    """The facts of one task or group; a task that nobody described has the defaults."""

    unit: str = "document"
    """What is drawn independently: a document, a problem, a passage, a window, or subjects as strata of a group."""
    cluster: str | None = None
    """The column that names a document's unit, where several documents share one."""
    chance: Mapping[str, float] = field(default_factory=dict[str, float])
    """Metric → what guessing scores, where it is not computed from the data."""
    published: str | None = None
    """Its name in the registry's published scores, where that is another."""
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    """A publication's name of a metric → ours."""
    documents: int | None = None
    """Documents of the whole benchmark, where the registry does not say."""
    size: Size | None = None
    """How long its prompts are in GPT-2's tokens."""
    size_of: str = "the benchmark's own data"
    """What `size` was measured on."""


def metadata_of(task: str) -> TaskMetadata:
    """The facts of that task or group."""
    return _all().get(task, TaskMetadata())


def described() -> list[str]:
    """The tasks and groups that something is known of."""
    return list(_all())


@cache
def _all() -> Mapping[str, TaskMetadata]:
    from ruamel.yaml import YAML

    text = Path(__file__).with_name("task_metadata.yaml").read_text("utf-8")
    listed: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(text)
    return MappingProxyType({name: _facts(facts) for name, facts in listed.items()})


def _facts(facts: dict[str, Any]) -> TaskMetadata:
    size: dict[str, float] | None = facts.pop("size", None)
    return TaskMetadata(**facts, size=Size(**size) if size else None)
