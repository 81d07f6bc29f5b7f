"""lm-eval's own Task objects, loaded for a suite: prompts, filters and metrics are all lm-eval's."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.mirror import mirrored
from harness.lmeval.index import folders_of, lm_eval_tasks
from harness.metrics.task_metadata import TaskMetadata, metadata_of
from harness.suites.suite import Overflow, Suite, SuiteTask, known_folders
from zoo.errors import EnvironmentIssue, InputError, MinizooError, UnknownTask
from zoo.names import unknown


@dataclass(frozen=True)
class LoadedTask:
    """A leaf task, ready to build prompts, with what its suite says of it."""

    name: str
    task: Any
    shots: int
    limit: int | None
    overflow: Overflow
    entry: SuiteTask
    """The suite's entry that it comes from, its own or its group's."""

    @property
    def facts(self) -> TaskMetadata:
        """What is known of it beyond its YAML."""
        return metadata_of(self.name)

    @property
    def runs_code(self) -> bool:
        """Whether it runs what the model writes."""
        return bool(getattr(self.task, "UNSAFE_CODE", False))

    @property
    def decoding(self) -> dict[str, Any] | None:
        """Samples a document, temperature and top-p of a task that generates text; None for one that does not."""
        if self.task.OUTPUT_TYPE != "generate_until":
            return None
        kwargs = self.task.config.generation_kwargs or {}
        sampled = kwargs.get("do_sample", bool(kwargs.get("temperature")))
        return {
            "n": self.task.config.repeats or 1,
            "temperature": float(kwargs.get("temperature") or 1.0) if sampled else 0.0,
            "top_p": float(kwargs.get("top_p", 1.0)) if sampled else None,
        }


@dataclass(frozen=True)
class LoadedSuite:
    """The leaf tasks of a suite in order, and lm-eval's groups over them, innermost first."""

    tasks: Mapping[str, LoadedTask]
    groups: tuple[Any, ...] = ()


@dataclass
class _Leaves:
    """What a suite entry expands to: leaf task → overrides met on the way, and group → (its YAML, its leaves)."""

    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, tuple[dict[str, Any], list[str]]] = field(default_factory=dict)


def load_tasks(
    suite: Suite,
    data: Path | None,
    limit: int | None = None,
    overflow: Overflow | None = None,
    absent: dict[str, MinizooError] | None = None,
) -> LoadedSuite:
    """Load every leaf task of the suite, with its data (from the mirror `data` where given, else as lm-eval does).

    `limit` and `overflow` are the command's and win over the suite's. With `absent` an entry whose data cannot be had is left
    out and named there with the reason. Raises InputError for an unknown task, the mirror's
    errors for absent data, EnvironmentIssue when data must come from the hub and cannot.
    """
    _quiet()
    random.seed(0)  # as lm-eval does before loading: some tasks shuffle at load time
    manager = _manager(suite)
    tasks: dict[str, LoadedTask] = {}
    groups: dict[str, Any] = {}
    for entry in suite.tasks:
        leaves = _Leaves()
        _walk(entry.task, {}, manager.task_index, leaves)
        for name in leaves.overrides:
            if name in tasks:
                raise InputError(f"Task {name} stands twice in suite {suite.name}.", "Name it once.")
        try:
            tasks |= {
                name: _load(name, overrides, entry, manager, data, limit, overflow)
                for name, overrides in leaves.overrides.items()
            }
        except EnvironmentIssue as error:
            if absent is None:
                raise
            absent[entry.task] = error
            continue
        groups |= {
            name: _group(name, config, [tasks[n].task for n in below])
            for name, (config, below) in leaves.groups.items()
        }
    return LoadedSuite(tasks, tuple(group for group in groups.values() if group.has_aggregation))


def leaf_configs(suite: Suite, entry: SuiteTask) -> list[dict[str, Any]]:
    """The YAML of every leaf task of an entry, with its shots and decoding as the suite says them; no data is read."""
    manager = _manager(suite)
    leaves = _Leaves()
    _walk(entry.task, {}, manager.task_index, leaves)
    configs = [{**(manager.task_index[name].cfg or {}), **over} for name, over in leaves.overrides.items()]
    return [{**config, **_decoded(config, entry), "num_fewshot": _shots(config, entry.shots)} for config in configs]


def _manager(suite: Suite) -> Any:
    from lm_eval.tasks import TaskManager

    names = [entry.task for entry in suite.tasks]
    if suite.folders:
        manager = TaskManager(include_path=[*map(str, suite.paths())], include_defaults=False)
        for name in names:
            if name not in manager.task_index:
                raise unknown(
                    UnknownTask, "task", name, manager.all_tasks, f"Suite {suite.name} names only {', '.join(suite.folders)}."
                )
        return manager
    known = known_folders()
    named = {folder for name in names for folder in known.get(name, ())}
    paths = [
        *suite.model_copy(update={"folders": tuple(sorted(named))}).paths(),
        *folders_of(n for n in names if n not in known),
    ]
    return TaskManager(include_path=[*map(str, dict.fromkeys(paths))], include_defaults=False)


def _walk(name: str, overrides: dict[str, Any], index: Mapping[str, Any], leaves: _Leaves) -> list[str]:
    """Add what is below a task, tag or group to `leaves` and return the leaf names.

    lm-eval's own expansion would load each task from the hub on the way.
    """
    entry = index[name]
    if entry.kind.name == "TAG":
        below = sorted(entry.tags)
    elif entry.kind.name == "GROUP":
        return _walk_group(name, entry.cfg, overrides, index, leaves)
    else:
        below = [name]
    leaves.overrides.update(dict.fromkeys(below, overrides))
    return below


def _walk_group(
    name: str, config: dict[str, Any], overrides: dict[str, Any], index: Mapping[str, Any], leaves: _Leaves
) -> list[str]:
    """The members of a group: names, names with overrides, or groups written inside it."""
    inherited = {**{k: v for k, v in config.items() if k not in _group_keys()}, **overrides}
    below: list[str] = []
    for member in config["task"] if isinstance(config["task"], list) else [config["task"]]:
        if isinstance(member, dict) and isinstance(member.get("task"), list):
            below += _walk_group(f"{name}::{member['group']}", member, inherited, index, leaves)
            continue
        target = (member.get("group") or member["task"]) if isinstance(member, dict) else member
        if target not in index:
            raise InputError(f"Group {name} of lm-eval names {target}, which is not among its tasks.")
        own = {k: v for k, v in member.items() if k not in ("task", "group")} if isinstance(member, dict) else {}
        below += _walk(target, {**inherited, **own}, index, leaves)
    leaves.groups[name] = (config, below)
    return below


def _group(name: str, config: dict[str, Any], tasks: list[Any]) -> Any:
    from lm_eval.api.group import Group

    group = Group.from_config({**{k: v for k, v in config.items() if k in _group_keys()}, "group": name})
    for task in tasks:
        group.add(task)
    return group


def _group_keys() -> set[str]:
    from lm_eval.config.group import GroupConfig

    return set(GroupConfig.__dataclass_fields__)


def _load(
    name: str,
    overrides: dict[str, Any],
    entry: SuiteTask,
    manager: Any,
    data: Path | None,
    limit: int | None,
    overflow: Overflow | None,
) -> LoadedTask:
    config = {**(manager.task_index[name].cfg or {}), **overrides}
    shots = _shots(config, entry.shots)
    spec = {**overrides, "task": name, **_decoded(config, entry)}
    _refuse_loose_code(name, config, manager)
    if data is not None and config.get("dataset_path") and not config.get("custom_dataset"):
        spec |= mirrored(config, shots, data)
    task = _build(name, spec, config, manager)
    task.set_config(key="num_fewshot", value=shots)
    return LoadedTask(name, task, shots, limit or entry.limit, overflow or entry.overflow or "refuse", entry)


def _decoded(config: Mapping[str, Any], entry: SuiteTask) -> dict[str, Any]:
    """The overrides that make a task generate as its suite entry says."""
    wanted = entry.decoding
    if wanted is None or config.get("output_type") != "generate_until":
        return {}
    kwargs = dict(config.get("generation_kwargs") or {})
    if wanted.temperature is not None:
        kwargs |= {"do_sample": wanted.temperature > 0, "temperature": wanted.temperature}
    if wanted.top_p is not None:
        kwargs["top_p"] = wanted.top_p
    if wanted.max_tokens is not None:
        kwargs["max_gen_toks"] = wanted.max_tokens
    return {"generation_kwargs": kwargs} | ({"repeats": wanted.n} if wanted.n is not None else {})


def _refuse_loose_code(name: str, config: Mapping[str, Any], manager: Any) -> None:
    """lm-eval's own code tasks run what a model writes in this very process: none of them is loaded."""
    path = manager.task_index[name].yaml_path
    if config.get("unsafe_code") and path is not None and Path(path).is_relative_to(lm_eval_tasks()):
        raise InputError(
            f"Task {name} of lm-eval runs what the model writes inside the measuring process, so it is not loaded.",
            "minizoo's own `humaneval` and `mbpp_0shot` run it in a sandbox.",
        )


def _shots(config: Mapping[str, Any], wanted: int | None) -> int:
    """lm-eval's rule: a task whose file says 0 stays at 0; else what is asked for; else the task's own; else 0."""
    own = config.get("num_fewshot")
    return own or 0 if own == 0 or wanted is None else wanted


def _build(name: str, spec: dict[str, Any], config: Mapping[str, Any], manager: Any) -> Any:
    try:
        # An override reaches a registered task only through a group; a bare dict would be a new task.
        return manager.load([{"group": f"minizoo::{name}", "task": [spec]}])["tasks"][name]
    except MinizooError:
        raise
    except ImportError as error:
        raise EnvironmentIssue(
            f"Task {name} needs a package that is not installed ({error}).",
            "`pip install 'minizoo[instruct]'` has what the tasks of minizoo's suites need beyond the rest.",
        ) from None
    except Exception as error:
        if _is_missing_data(error):
            raise EnvironmentIssue(
                f"Task {name} needs the data set {config.get('dataset_path')}, which is not in the cache and the hub cannot "
                f"be reached ({type(error).__name__}).",
                "Give a local mirror with --data DIR, or run again with the network up.",
            ) from None
        if "scripts are no longer supported" in str(error):
            raise EnvironmentIssue(
                f"Task {name}'s data set {config.get('dataset_path')} is a script on the hub, which is never run.",
                f"Take the hub's Parquet export of it: `minizoo data pull --tasks {name} --data DIR`, then give --data DIR.",
            ) from None
        raise InputError(
            f"lm-eval cannot load task {name} ({type(error).__name__}: {' '.join(str(error).split())[:200]}).",
            "Check the task's YAML and the columns of its data.",
        ) from None


def _is_missing_data(error: BaseException) -> bool:
    names = {type(e).__name__ for e in (error, error.__cause__, error.__context__) if e is not None}
    return isinstance(error, OSError) or bool(
        names & {"ConnectionError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "DatasetNotFoundError"}
    )


def _quiet() -> None:
    import datasets

    datasets.disable_progress_bars()
    for name in ("lm_eval", "datasets", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
