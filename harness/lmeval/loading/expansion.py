"""What an lm-eval name stands for: tags and groups expanded to leaf tasks, with the overrides met on the way.

lm-eval's own expansion would load each task from the hub on the way; here only its YAML is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.lmeval.loading.index import function_of
from zoo.errors import InvalidTask, one_line


@dataclass
class Expansion:
    """The leaf tasks below one name."""

    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Leaf task → what the groups above it override in its YAML."""
    groups: dict[str, tuple[dict[str, Any], list[str]]] = field(default_factory=dict)
    """Group → (its YAML, its leaf tasks), innermost first."""


def expand(name: str, index: Mapping[str, Any]) -> Expansion:
    """Expand a task, tag or group of lm-eval's `task_index`; InvalidTask for a group with a member that there is not."""
    found = Expansion()
    _expand_name(name, {}, index, found)
    return found


def has_aggregate(config: Mapping[str, Any]) -> bool:
    """Whether a group of that YAML has a score of its own."""
    return bool(config.get("aggregate_metric_list"))


def make_group(name: str, config: Mapping[str, Any], tasks: Sequence[Any]) -> Any:
    """lm-eval's Group of that YAML over these task objects, which aggregates by lm-eval's own weighting.

    Raises InvalidTask for a YAML that lm-eval does not take.
    """
    from lm_eval.api.group import Group

    own = {k: v for k, v in config.items() if k in _group_keys()}
    listed = own.get("aggregate_metric_list")
    try:
        if isinstance(listed, list):
            own["aggregate_metric_list"] = [_with_function(entry) for entry in listed]
        group = Group.from_config({**own, "group": name})
    except Exception as error:  # what a module raises that a `!function` names, too
        raise InvalidTask(
            f"Group {name}: lm-eval does not take its aggregate_metric_list ({one_line(error)}).", "Correct its YAML."
        ) from None
    for task in tasks:
        group.add(task)
    return group


def _with_function(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with its aggregation as a function, where it is a `!function`."""
    named = entry.get("aggregation")
    return {**entry, "aggregation": function_of(named)} if isinstance(named, str) and "/" in named else {**entry}


def _expand_name(name: str, overrides: dict[str, Any], index: Mapping[str, Any], found: Expansion) -> list[str]:
    """Add what is below a name to `found` and return the leaf names."""
    entry = index[name]
    if entry.kind.name == "GROUP":
        return _expand_group(name, entry.cfg, overrides, index, found)
    below = sorted(entry.tags) if entry.kind.name == "TAG" else [name]
    found.overrides.update(dict.fromkeys(below, overrides))
    return below


def _expand_group(
    name: str, config: dict[str, Any], overrides: dict[str, Any], index: Mapping[str, Any], found: Expansion
) -> list[str]:
    """The members of a group: names, names with overrides, or groups written inside it."""
    inherited = {**{k: v for k, v in config.items() if k not in _group_keys()}, **overrides}
    below: list[str] = []
    for member in config["task"] if isinstance(config["task"], list) else [config["task"]]:
        if not isinstance(member, str) and not (isinstance(member, dict) and member.keys() & {"task", "group"}):
            raise InvalidTask(f"Group {name} of lm-eval has a member without a name.", "Name its tasks one by one.")
        if isinstance(member, dict) and isinstance(member.get("task"), list) and "group" in member:
            below += _expand_group(f"{name}::{member['group']}", member, inherited, index, found)
            continue
        target = (member.get("group") or member["task"]) if isinstance(member, dict) else member
        if target not in index:
            raise InvalidTask(
                f"Group {name} of lm-eval names {target}, which is not among its tasks.", "Name its tasks one by one."
            )
        own = {k: v for k, v in member.items() if k not in ("task", "group")} if isinstance(member, dict) else {}
        below += _expand_name(target, {**inherited, **own}, index, found)
    found.groups[name] = (config, below)
    return below


def _group_keys() -> set[str]:
    from lm_eval.config.group import GroupConfig

    return set(GroupConfig.__dataclass_fields__)
