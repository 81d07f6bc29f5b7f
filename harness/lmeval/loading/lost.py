"""What of a suite cannot be run: tasks that have no data or cannot be made of them, and groups that are not whole without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.suites.suite import Overflow, SuiteTask
from zoo.errors import MinizooError

SHOWN = 3
"""Tasks of a group that a message names."""


@dataclass(frozen=True)
class LostTask:
    """A task that cannot be run, or a group whose aggregate would not be one without it: nothing of the group is run."""

    name: str
    entry: SuiteTask
    """The suite's entry that it comes from, its own or its group's."""
    shots: int | None
    limit: int | None
    overflow: Overflow
    errors: Mapping[str, MinizooError]
    """Leaf task → why it cannot be run."""
    members: tuple[str, ...] = ()
    """The leaf tasks of a group, with those that could be run; empty for a task."""
    version: str = ""

    @property
    def error(self) -> MinizooError:
        """Why: of a group the first task's cause, with the names of all that are missing as far as a line holds them."""
        first = next(iter(self.errors.values()))
        if not self.members:
            return first
        missing = list(self.errors)
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        told = f"{len(missing)} of its {len(self.members)} tasks cannot be run: {', '.join(missing[:SHOWN])}{more}."
        return type(first)(f"{told} {first.what}", first.hint)


def grouped(
    leaves: Mapping[str, LostTask], groups: Mapping[str, Sequence[str]]
) -> tuple[tuple[LostTask, ...], frozenset[str]]:
    """The lost leaf tasks, those of groups as one a group; and the names of all leaf tasks that are therefore not run.

    `groups` are those with an aggregate → their leaf tasks, innermost first. A leaf takes with it the outermost group that
    holds it. Another group that it is in as well is lost too, but its other tasks are not.
    """
    found: dict[str, LostTask] = {}
    causes = dict(leaves)
    for name, leaf in leaves.items():
        outermost = next((group for group in reversed(list(groups)) if name in groups[group]), None)
        if outermost is None:
            found[name] = leaf
        elif outermost not in found:
            found[outermost] = _as_group(outermost, groups[outermost], leaves)
            causes = dict.fromkeys(groups[outermost], leaf) | causes
    for group, below in groups.items():
        if group not in found and causes.keys() & below and not causes.keys() >= set(below):
            found[group] = _as_group(group, below, causes)
    return tuple(found.values()), frozenset(causes)


def _as_group(group: str, below: Sequence[str], causes: Mapping[str, LostTask]) -> LostTask:
    missing = [causes[name] for name in below if name in causes]
    errors = {name: error for leaf in missing for name, error in leaf.errors.items()}
    shots = {leaf.shots for leaf in missing}
    return replace(
        missing[0],
        name=group,
        shots=missing[0].shots if len(shots) == 1 else None,
        errors=errors,
        members=tuple(below),
        version="",
    )
