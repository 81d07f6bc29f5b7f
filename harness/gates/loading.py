"""A policy read from its file: by name those that come with minizoo, else any YAML. Every error names file, line and column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from harness.gates.policy import Policy
from harness.metrics.speed_metrics import load_metrics
from harness.metrics.task_metadata import UNIT_INTERVAL_METRICS, described
from harness.named_files import NamedFiles
from harness.suites.suite import load_suite, suite_names
from zoo.errors import InvalidFile, InvalidPolicy, UnknownName
from zoo.names import closest, unknown
from zoo.yaml_nodes import YamlPath
from zoo.yaml_source import Located, read_located, validated

FILES = NamedFiles("policy", Path(__file__).parent / "policies", InvalidPolicy)
PERPLEXITIES = frozenset({"word_perplexity", "byte_perplexity", "bits_per_byte", "perplexity", "brier_score", "mcc"})
"""Metrics of lm-eval outside 0 to 1 that a policy may name where no record of the plan has them."""


@dataclass(frozen=True)
class PolicyFile:
    """A policy and the file that it stands in, so that what is found out later still names the line."""

    policy: Policy
    located: Located

    def error(self, path: YamlPath, what: str, hint: str = "") -> InvalidFile:
        """The error for the item at `path` of the file."""
        return self.located.error(path, what, hint)

    def where(self, path: YamlPath) -> str:
        """`file:line:column` of it."""
        return self.located.where(path)


def policy_names() -> list[str]:
    """Names of the policies that come with minizoo."""
    return FILES.names()


def load_policy(word: str) -> PolicyFile:
    """The policy of that name, or in that YAML file. UnknownName, FileMissing, or InvalidPolicy with line and column."""
    if not word.endswith((".yaml", ".yml")) and word not in policy_names():
        listing = f"Policies are: {', '.join(policy_names())}; or give a YAML file."
        raise unknown(UnknownName, "policy", word, policy_names(), listing)
    path = FILES.path(word)
    located = read_located(path, InvalidPolicy, path.name if path.parent == FILES.folder else str(path))
    if located.data is None:
        raise located.error(
            (), "the file is empty: a policy that asks nothing can pass nothing.", "Start from a shipped one."
        )
    if not isinstance(located.data, dict):
        raise located.error((), "a policy is a mapping of keys (`alpha:`, `accuracy:` …).", "Start from a shipped one.")
    return PolicyFile(validated(Policy, located), located)


def unfiled(policy: Policy) -> PolicyFile:
    """A policy that stands in no file: its errors name it and no line."""
    return PolicyFile(policy, Located(f"policy {policy.name}", "", {}, InvalidPolicy))


@dataclass(frozen=True)
class Known:
    """Names that an entry may use beside those of the shipped suites: what the sides of the plan hold."""

    tasks: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()
    workloads: frozenset[str] = frozenset()


def check_names(file: PolicyFile, known: Known) -> None:
    """InvalidPolicy for a task, metric or workload that there is nowhere: not with minizoo, and on no side of the plan."""
    suites = [load_suite(name) for name in suite_names()]
    tasks = known.tasks | {entry.task for suite in suites for entry in suite.tasks} | set(described())
    metrics = known.metrics | UNIT_INTERVAL_METRICS | PERPLEXITIES
    metrics |= {entry.metric for suite in suites for entry in suite.tasks if entry.metric}
    for at, entry in enumerate(file.policy.accuracy):
        _check(file, ("accuracy", at, "task"), "task", entry.task, tasks)
        if entry.metric is not None:
            _check(file, ("accuracy", at, "metric"), "metric", entry.metric, metrics)
    for at, entry in enumerate(file.policy.speed):
        _check(file, ("speed", at, "workload"), "workload", entry.workload, known.workloads)
        _check(file, ("speed", at, "metric"), "speed metric", entry.metric, load_metrics())


def _check(file: PolicyFile, path: YamlPath, kind: str, word: str, names: Iterable[str] | Mapping[str, object]) -> None:
    if any(fnmatchcase(name, word) for name in names):
        return
    near = closest(word, names)
    hint = f"Did you mean '{near}'?" if near else "A suite's tasks and those of either side are known."
    raise file.error(path, f"there is no {kind} '{word}', neither with minizoo nor on either side.", hint)


def matching(word: str, names: Sequence[str]) -> list[str]:
    """Those that the word or pattern names, in their order."""
    return [name for name in names if fnmatchcase(name, word)]
