"""Everything else that a plan names, looked up before a night begins; what there is not is told with its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from backends.opening import backend_names, check_backend
from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.schema import CPU, PlannedBackend, PlannedModel
from harness.gates.loading import load_policy
from harness.speed.workloads.workload import Workload, load_workload, workload_names
from harness.suites.suite import Suite, load_suite, suite_names
from zoo.arch.gpus import load_gpus
from zoo.errors import FileMissing, MinizooError, UnknownName
from zoo.yaml_nodes import YamlPath

T = TypeVar("T")
GPUS = "`cpu`, or a name of zoo/arch/gpus.yaml: h100-sxm, a100-80-sxm, l4 …"
OTHER_INTERPRETERS = {"vllm": "MINIZOO_VLLM_PYTHON", "trtllm": "MINIZOO_TRTLLM_PYTHON"}
"""Backend → the variable by which `minizoo bench` finds its interpreter."""


def check_lists(file: PlanFile, at: int) -> None:
    """InvalidNightPlan for the first suite, backend, workload or accelerator of an entry that there is not."""
    plan, model = file.plan, file.plan.models[at]
    for path, suite in _listed(model, "suites", at, plan.suites_of(model)):
        suite_at(file, (*path, "suite"), suite.suite)
    for path, backend in _listed(model, "backends", at, plan.backends_of(model)):
        _check_backend(file, path, backend, bool(plan.workloads_of(model)))
    for path, workload in _listed(model, "workloads", at, plan.workloads_of(model)):
        workload_at(file, (*path, "workload"), workload.workload)
    for path, accelerator in _listed(model, "accelerators", at, plan.accelerators_of(model)):
        if accelerator != CPU and accelerator not in load_gpus():
            raise file.unknown(path, "accelerator", accelerator, [CPU, *load_gpus()], f"It is {GPUS}.")


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
        _check_backend(file, ("canary",), PlannedBackend(backend=canary.backend), benches=True)


def suite_at(file: PlanFile, path: YamlPath, word: str) -> Suite:
    """The suite of that word."""
    try:
        return load_suite(file.word(word))
    except UnknownName:
        listing = f"Suites are: {', '.join(suite_names())}; or give a YAML file."
        raise file.unknown(path, "suite", word, suite_names(), listing) from None
    except MinizooError as error:
        raise file.error(path, error.what, error.hint) from None


def workload_at(file: PlanFile, path: YamlPath, word: str) -> Workload:
    """The workload of that word."""
    try:
        return load_workload(file.word(word))
    except UnknownName:
        listing = f"Workloads are: {', '.join(workload_names())}; or give a YAML file."
        raise file.unknown(path, "workload", word, workload_names(), listing) from None
    except MinizooError as error:
        raise file.error(path, error.what, error.hint) from None


def interpreter(file: PlanFile, python: str | None) -> str | None:
    """An interpreter as a command takes it: a path by its whole, a word as PATH finds it."""
    return str(file.inside(python)) if python is not None and len(Path(python).parts) > 1 else python


def _check_backend(file: PlanFile, path: YamlPath, planned: PlannedBackend, benches: bool) -> None:
    word = planned.backend
    try:
        check_backend(word)
    except UnknownName:
        listing = f"Installed are: {', '.join(backend_names())}."
        raise file.unknown((*path, "backend"), "backend", word, backend_names(), listing) from None
    except MinizooError as error:
        raise file.error((*path, "backend"), error.what, error.hint) from None
    if planned.python is not None and benches:
        variable = OTHER_INTERPRETERS.get(word)
        way = f"Set ${variable} on its machines instead." if variable else "Leave it out."
        raise file.error((*path, "python"), "`minizoo bench` takes no interpreter, and the plan has workloads.", way)


def _listed(model: PlannedModel, key: str, at: int, items: tuple[T, ...]) -> Iterator[tuple[YamlPath, T]]:
    """Each item with its place in the file: in the model's own list, else in the plan's."""
    own: YamlPath = ("models", at) if getattr(model, key) is not None else ()
    for number, item in enumerate(items):
        yield (*own, key, number), item
