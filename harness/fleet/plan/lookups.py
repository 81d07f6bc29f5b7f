"""Everything that a plan names, looked up before a night begins: models first; what there is not is told with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from backends.opening import backend_names, check_backend
from backends.split import split_of
from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.schema import CPU, Axis, PlannedBackend, PlannedModel
from harness.gates.loading import load_policy
from harness.speed.workloads.workload import Workload, load_workload, workload_names
from harness.suites.suite import Suite, load_suite, suite_names
from zoo.arch.gpus import load_gpus
from zoo.checkpoint.locate import outline
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.errors import FileMissing, MinizooError, UnknownName
from zoo.registry.loader import load_registry
from zoo.yaml_nodes import YamlPath

T = TypeVar("T")
UNIFORM_ONLY = ("hf", "vllm", "trtllm")
"""Backends that run neither layers of unlike widths nor a plan without weights of its own."""
GPUS = "`cpu`, or a name of zoo/arch/gpus.yaml: h100-sxm, a100-80-sxm, l4 …"


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


def check_lists(file: PlanFile, at: int) -> None:
    """InvalidNightPlan for the first suite, backend, workload or accelerator of an entry that there is not."""
    plan, model = file.plan, file.plan.models[at]
    for path, suite in _listed(model, "suites", at, plan.suites_of(model)):
        suite_at(file, (*path, "suite"), suite.suite)
    for path, backend in _listed(model, "backends", at, plan.backends_of(model)):
        _check_backend(file, path, backend)
    for path, workload in _listed(model, "workloads", at, plan.workloads_of(model)):
        workload_at(file, (*path, "workload"), workload.workload)
    for path, accelerator in _listed(model, "accelerators", at, plan.accelerators_of(model)):
        if accelerator != CPU and accelerator not in load_gpus():
            raise file.unknown(path, "accelerator", accelerator, [CPU, *load_gpus()], f"It is {GPUS}.")


def check_runs(file: PlanFile, path: YamlPath, ref: ModelRef, backends: Sequence[PlannedBackend]) -> None:
    """InvalidNightPlan for a model at `path` that one of its backends can never run. A folder that is broken, and a model of
    the hub, are their jobs' matter: they may be whole by then, and they hide no other."""
    try:
        why = outline(ref).only_pruned if ref.folder is not None else None
    except MinizooError:
        return
    for planned in backends if why else ():
        split = split_of(planned.backend)
        for name in (split.score, split.generate) if split else (planned.backend,):
            if name in UNIFORM_ONLY:
                raise file.error(path, f"{name} cannot run {ref.shown}: {why}.", "Have `pruned` run it.")


def check_rest(file: PlanFile) -> None:
    """InvalidNightPlan for a policy, file or folder that is not there; what `load_policy` raises for one that is broken."""
    try:
        load_policy(file.policy)
    except (UnknownName, FileMissing) as error:
        raise file.error(("policy",), error.what, error.hint) from None
    for key, path, kind in (("baselines", file.baselines, "file"), ("noise", file.noise, "file")):
        if path is not None and not path.is_file():
            raise file.error((key,), f"there is no {kind} {path}.", "Paths count from the plan's own folder.")
    if file.data is not None and not file.data.is_dir():
        raise file.error(("data",), f"there is no folder {file.data}.", "Paths count from the plan's own folder.")
    if file.plan.canary is not None:
        canary = file.plan.canary
        _check_backend(file, ("canary",), PlannedBackend(backend=canary.backend))


def suite_at(file: PlanFile, path: YamlPath, word: str) -> Suite:
    """The suite of that word."""
    return _at(file, path, word, "suite", load_suite, suite_names)


def workload_at(file: PlanFile, path: YamlPath, word: str) -> Workload:
    """The workload of that word."""
    return _at(file, path, word, "workload", load_workload, workload_names)


def _at(
    file: PlanFile, path: YamlPath, word: str, kind: str, load: Callable[[str], T], names: Callable[[], list[str]]
) -> T:
    """What comes by name or as a YAML file; InvalidNightPlan with its line where it cannot be had."""
    try:
        return load(file.word(word))
    except UnknownName:
        listing = f"{kind.capitalize()}s are: {', '.join(names())}; or give a YAML file."
        raise file.unknown(path, kind, word, names(), listing) from None
    except MinizooError as error:
        raise file.error(path, error.what, error.hint) from None


def interpreter(file: PlanFile, python: str | None) -> str | None:
    """An interpreter as a command takes it: a path by its whole, a word as PATH finds it."""
    return str(file.inside(python)) if python is not None and len(Path(python).parts) > 1 else python


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


def _check_backend(file: PlanFile, path: YamlPath, planned: PlannedBackend) -> None:
    word = planned.backend
    try:
        check_backend(word)
    except UnknownName:
        listing = f"Installed are: {', '.join(backend_names())}."
        raise file.unknown((*path, "backend"), "backend", word, backend_names(), listing) from None
    except MinizooError as error:
        raise file.error((*path, "backend"), error.what, error.hint) from None


def _listed(model: PlannedModel, key: str, at: int, items: tuple[T, ...]) -> Iterator[tuple[YamlPath, T]]:
    """Each item with its place in the file: in the model's own list, else in the plan's."""
    own: YamlPath = ("models", at) if getattr(model, key) is not None else ()
    for number, item in enumerate(items):
        yield (*own, key, number), item
