"""The models of a plan, looked up: what a job calls each of them, and by which words a command does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.schema import Axis, PlannedModel
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.errors import MinizooError
from zoo.registry.loader import load_registry
from zoo.yaml_nodes import YamlPath


@dataclass(frozen=True)
class Subject:
    """One model to measure."""

    ref: ModelRef
    word: str
    """What a command on any machine of the fleet takes: a registry's id, a hub id, or an absolute path."""
    planned: PlannedModel
    at_path: YamlPath
    """Where the plan says so."""
    label: str | None = None
    axis: Axis | None = None
    at: int | None = None

    @property
    def shown(self) -> str:
        """What a person calls it."""
        return self.ref.shown

    @property
    def words(self) -> Sequence[str]:
        """The model in a command line, with what the user says of one that no registry has."""
        told = ("--name", self.ref.name) if self.ref.name else ()
        parent = ("--parent", self.ref.parent) if self.ref.kind != "registry" and self.ref.parent else ()
        return ("--model", self.word, *told, *parent)


def subject_of(file: PlanFile, at: int) -> Subject:
    """The model of the plan's entry of that number. InvalidNightPlan for a word that is none, with its line."""
    planned = file.plan.models[at]
    assert planned.model is not None
    path = ("models", at, "model")
    ref, word = look_up(file, path, planned.model, planned.name, _parent(file, at))
    return Subject(ref, word, planned, path)


def parent_of(file: PlanFile, at: int) -> Subject | None:
    """The parent that an entry names, as a model to measure; None where it names none."""
    planned = file.plan.models[at]
    if planned.parent is None:
        return None
    path = ("models", at, "parent")
    ref, word = look_up(file, path, planned.parent)
    return Subject(ref, word, planned, path)


def look_up(
    file: PlanFile, path: YamlPath, word: str, name: str | None = None, parent: str | None = None
) -> tuple[ModelRef, str]:
    """The model that a word of the plan means, and the word that means it from anywhere: a folder beside the plan by its
    absolute path. InvalidNightPlan where there is none, or nothing to run."""
    given = word if load_registry().find(word) else _folder(file, word)
    try:
        ref = resolve(given, name, parent)
        if ref.folder is None:
            _ = ref.hub  # raises where nobody can fetch its weights
    except MinizooError as error:
        raise file.error(path, error.what, error.hint) from None
    if ref.kind == "registry":
        return ref, given if _is_folder(given) else ref.id
    return ref, str(Path(given).absolute()) if ref.folder is not None else ref.id


def _parent(file: PlanFile, at: int) -> str | None:
    """As `--parent` takes it: a parent that is looked up, so that a slip of the hand is told before anything runs."""
    parent = parent_of(file, at)
    return parent.word if parent else None


def _folder(file: PlanFile, word: str) -> str:
    """A folder of the plan by its absolute path; any other word as it is, a path at least as one."""
    inside = file.inside(word)
    return str(inside) if _is_folder(str(inside)) or word.startswith((".", "/", "~")) else word


def _is_folder(word: str) -> bool:
    try:
        path = Path(word)
        return path.is_absolute() and path.exists()
    except (OSError, ValueError):  # too long, a NUL inside
        return False
