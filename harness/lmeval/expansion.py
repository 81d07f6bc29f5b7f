"""What an lm-eval name stands for: tags and groups expanded to leaf tasks, with the overrides met on the way.

lm-eval's own expansion would load each task from the hub on the way; here only its YAML is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import InvalidTask


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


def make_group(name: str, config: Mapping[str, Any], tasks: Sequence[Any]) -> Any:
    """lm-eval's Group of that YAML over these task objects, which aggregates by lm-eval's own weighting."""
    from lm_eval.api.group import Group

    group = Group.from_config({**{k: v for k, v in config.items() if k in _group_keys()}, "group": name})
    for task in tasks:
        group.add(task)
    return group


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
        if isinstance(member, dict) and isinstance(member.get("task"), list):
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
