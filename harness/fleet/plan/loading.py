"""A plan read from its file. Every error names file, line and column; paths count from the plan's own folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.fleet.plan.schema import NightPlan
from zoo.errors import InvalidFile, InvalidNightPlan
from zoo.names import closest
from zoo.yaml_nodes import YamlPath
from zoo.yaml_source import Located, read_located, validated

START = "docs/nightly.md has one to start from."


@dataclass(frozen=True)
class PlanFile:
    """A plan and the file that it stands in."""

    plan: NightPlan
    located: Located
    path: Path

    @property
    def folder(self) -> Path:
        """Where its relative paths begin."""
        return self.path.absolute().parent

    @property
    def text(self) -> str:
        """The file as it was read."""
        return self.located.text

    @cached_property
    def digest(self) -> str:
        """sha256 of the plan's text and place, and of the suites and workloads that it has as files of its own.

        What changes it makes another plan, of which no unfinished night is gone on with. Folders that a pattern finds are not
        part of it: a checkpoint that is written while a night is broken off is the next night's.
        """
        whole = hashlib.sha256(f"{self.folder}\0{self.text}".encode())
        for word in sorted(self._own_files()):
            path = self.inside(word)
            whole.update(path.read_bytes() if path.is_file() else b"absent")
        return whole.hexdigest()

    @property
    def policy(self) -> str:
        """The gate's policy, as `load_policy` takes it."""
        return self.word(self.plan.policy)

    @property
    def baselines(self) -> Path | None:
        """The file of baselines."""
        return None if self.plan.baselines is None else self.inside(self.plan.baselines)

    @property
    def noise(self) -> Path | None:
        """The file of `minizoo gate --calibrate`."""
        return None if self.plan.noise is None else self.inside(self.plan.noise)

    @property
    def data(self) -> Path | None:
        """The mirror of hub data sets."""
        return None if self.plan.data is None else self.inside(self.plan.data)

    def inside(self, path: str) -> Path:
        """A path of the plan as an absolute one; links stay, since that of an environment's interpreter says whose it is."""
        return Path(os.path.normpath(self.folder / _home(path)))

    def word(self, word: str) -> str:
        """A suite, workload or policy: a name as it is, a YAML file by its absolute path."""
        return str(self.inside(word)) if word.endswith((".yaml", ".yml")) else word

    def error(self, path: YamlPath, what: str, hint: str = "") -> InvalidFile:
        """The error for the item at `path` of the file."""
        return self.located.error(path, what, hint)

    def where(self, path: YamlPath) -> str:
        """`file:line:column` of it."""
        return self.located.where(path)

    def unknown(self, path: YamlPath, kind: str, word: str, known: Iterable[str], listing: str) -> InvalidFile:
        """The error for a word that there is not: the nearest one, and where all of them are listed."""
        near = closest(word, known)
        return self.error(
            path, f"there is no {kind} '{word}'.", f"Did you mean '{near}'? {listing}" if near else listing
        )

    def _own_files(self) -> set[str]:
        suites = {suite.suite for one in self.plan.models for suite in self.plan.suites_of(one)}
        workloads = {load.workload for one in self.plan.models for load in self.plan.workloads_of(one)}
        return {word for word in suites | workloads if word.endswith((".yaml", ".yml"))}


def load_plan(path: Path) -> PlanFile:
    """The plan in that YAML file; its names are not looked up yet: `compile_night` does that.

    FileMissing where there is none, InvalidNightPlan with line and column for what a plan must not say.
    """
    located = read_located(path, InvalidNightPlan, str(path))
    if located.data is None:
        raise located.error((), "the file is empty: a night without a model measures nothing.", START)
    if not isinstance(located.data, dict):
        raise located.error((), "a plan is a mapping of keys (`name:`, `models:` …).", START)
    return PlanFile(validated(NightPlan, located), located, path)


def _home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # the home of nobody
        return Path(path)
