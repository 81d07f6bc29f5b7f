"""lm-eval's own Task objects, loaded for a suite with its overrides: prompts, filters and metrics are all lm-eval's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.lmeval.loading.expansion import expand, has_aggregate, make_group
from harness.lmeval.loading.generation import request_options
from harness.lmeval.loading.index import folders_of
from harness.lmeval.loading.lost import LostTask, grouped
from harness.lmeval.loading.own_data import Source
from harness.lmeval.loading.support import check_loaded, refused
from harness.metrics.task_metadata import TaskMetadata, metadata_of
from harness.suites.suite import Overflow, Suite, SuiteTask, known_folders
from zoo.errors import EnvironmentIssue, InvalidTask, MinizooError, UnknownTask
from zoo.names import unknown

Tell = Callable[[str], None]


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
    data: str | None = None
    """Where its data come from, where that is neither the mirror nor what its text names."""

    def lost(self, error: MinizooError) -> LostTask:
        """The task as one that cannot be run."""
        version = str(self.task.VERSION)
        return LostTask(
            self.name, self.entry, self.shots, self.limit, self.overflow, {self.name: error}, version=version
        )

    @property
    def metadata(self) -> TaskMetadata:
        """What is known of it beyond its YAML."""
        return metadata_of(self.name)

    @property
    def runs_code(self) -> bool:
        """Whether it runs what the model writes."""
        return bool(getattr(self.task, "UNSAFE_CODE", False))

    @property
    def decoding(self) -> dict[str, Any] | None:
        """Samples a document, temperature and top-p of a task that generates text; None for one that does not, and for a
        Python class, whose requests say it one by one."""
        from lm_eval.api.task import ConfigurableTask

        if self.task.OUTPUT_TYPE != "generate_until" or type(self.task) is not ConfigurableTask:
            return None
        options = request_options(self.task.config.generation_kwargs or {}, prompt=0)
        return {
            "n": self.task.config.repeats or 1,
            "temperature": options["temperature"],
            "top_p": (options["top_p"] or 1.0) if options["temperature"] else None,
        }


@dataclass(frozen=True)
class LoadedSuite:
    """The leaf tasks of a suite in order, and lm-eval's groups over them, innermost first."""

    tasks: Mapping[str, LoadedTask]
    groups: tuple[Any, ...] = ()
    """Those with an aggregate."""
    lost: tuple[LostTask, ...] = ()
    """What of the suite cannot be run, and why."""

    def without(self, errors: Mapping[str, MinizooError]) -> LoadedSuite:
        """The suite where these leaf tasks cannot be run after all, and with them no group that they are in."""
        leaves = {name: self.tasks[name].lost(error) for name, error in errors.items()}
        below = {group.name: [task.task_name for task in group.get_all_tasks()] for group in self.groups}
        lost, gone = grouped(leaves, below)
        return LoadedSuite(
            {name: task for name, task in self.tasks.items() if name not in gone},
            tuple(group for group in self.groups if gone.isdisjoint(below[group.name])),
            (*self.lost, *lost),
        )


def load_tasks(
    suite: Suite,
    data: Path | None,
    limit: int | None = None,
    overflow: Overflow | None = None,
    tokenizer: Path | None = None,
    keep_lost: bool = False,
    tell: Tell | None = None,
) -> LoadedSuite:
    """Load every leaf task of the suite, with its data (from the mirror `data` where given, else as lm-eval does).

    `limit` (documents a leaf task) and `overflow` are the command's and win over the suite's. `tokenizer` is the folder of the
    one by which tasks such as RULER's make documents of a length. `tell` is told of data that are fetched in another way.
    Raises UnknownTask, InvalidTask, UnsafeTask and UnsupportedRequest for what is wrong with a task's text or name. What
    cannot be loaded otherwise (DataMissing, InvalidData, HubUnreachable, PackageMissing; InvalidTask where lm-eval cannot make
    it of its data) is raised too, or with `keep_lost` the others are loaded and it is named in `lost`.
    """
    _hide_progress_bars()
    random.seed(0)  # as lm-eval does before loading: some tasks shuffle at load time
    manager = _manager(suite)
    source = Source(data, tokenizer, tell)
    tasks: dict[str, LoadedTask] = {}
    lost: dict[str, LostTask] = {}
    groups: dict[str, tuple[Any, list[str]]] = {}
    for entry in suite.tasks:
        expansion = expand(entry.task, manager.task_index)
        for name, overrides in expansion.overrides.items():
            if name in tasks or name in lost:
                raise InvalidTask(f"Task {name} stands twice in suite {suite.name}.", "Name it once.")
            found = _load(name, overrides, entry, manager, source, limit, overflow)
            if isinstance(found, LoadedTask):
                tasks[name] = found
                continue
            if not keep_lost:
                raise found.error
            lost[name] = found
        groups |= expansion.groups
    told, gone = grouped(lost, {name: below for name, (config, below) in groups.items() if has_aggregate(config)})
    whole = [
        make_group(name, config, [tasks[n].task for n in below])
        for name, (config, below) in groups.items()
        if gone.isdisjoint(below)
    ]
    return LoadedSuite(
        {name: task for name, task in tasks.items() if name not in gone},
        tuple(group for group in whole if group.has_aggregation),
        told,
    )


def leaf_configs(suite: Suite, entry: SuiteTask) -> list[dict[str, Any]]:
    """The YAML of every leaf task of an entry, with its shots and decoding as the suite says them; no data is read."""
    manager = _manager(suite)
    overridden = expand(entry.task, manager.task_index).overrides
    configs = [{**(manager.task_index[name].cfg or {}), **over} for name, over in overridden.items()]
    return [{**config, **_decoded(config, entry), "num_fewshot": _shots(config, entry.shots)} for config in configs]


def configs_of(suites: Iterable[Suite]) -> Iterator[dict[str, Any]]:
    """The YAML of every leaf task of the suites, as `leaf_configs`; no data is read."""
    for suite in suites:
        for entry in suite.tasks:
            yield from leaf_configs(suite, entry)


def _manager(suite: Suite) -> Any:
    from lm_eval.tasks import TaskManager

    names = [entry.task for entry in suite.tasks]
    if suite.folders:
        manager = TaskManager(include_path=[*map(str, suite.paths())], include_defaults=False)
        for name in names:
            if name not in manager.task_index:
                raise unknown(
                    UnknownTask,
                    "task",
                    name,
                    manager.all_tasks,
                    f"Suite {suite.name} names only {', '.join(suite.folders)}.",
                )
        return manager
    known = known_folders()
    named = {folder for name in names for folder in known.get(name, ())}
    paths = [
        *suite.model_copy(update={"folders": tuple(sorted(named))}).paths(),
        *folders_of(n for n in names if n not in known),
    ]
    return TaskManager(include_path=[*map(str, dict.fromkeys(paths))], include_defaults=False)


def _load(
    name: str,
    overrides: dict[str, Any],
    entry: SuiteTask,
    manager: Any,
    source: Source,
    limit: int | None,
    overflow: Overflow | None,
) -> LoadedTask | LostTask:
    """The task with its data, or why it has none; raises for what its text asks for and there is not."""
    config = {**(manager.task_index[name].cfg or {}), **overrides}
    shots = _shots(config, entry.shots)
    spec = {**overrides, "task": name, **_decoded(config, entry)}
    if found := refused(name, {**config, **spec}):
        raise found[1]
    limit, rule = limit or entry.limit, overflow or entry.overflow or "refuse"

    def load(own: Mapping[str, Any]) -> Any:
        # An override reaches a registered task only through a group; a bare dict would be a new task.
        return manager.load([{"group": f"minizoo::{name}", "task": [{**spec, **own}]}])["tasks"][name]

    def lost(error: MinizooError) -> LostTask:
        version = str((config.get("metadata") or {}).get("version", ""))
        return LostTask(name, entry, shots, limit, rule, {name: error}, version=version)

    try:
        task, data = source.loaded(name, config, shots, load)
    except MinizooError as error:
        return lost(error)
    try:
        check_loaded(name, task)
    except EnvironmentIssue as error:
        return lost(error)
    task.set_config(key="num_fewshot", value=shots)
    return LoadedTask(name, task, shots, limit, rule, entry, data)


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


def _shots(config: Mapping[str, Any], wanted: int | None) -> int:
    """lm-eval's rule: a task whose file says 0 stays at 0; else what is asked for; else the task's own; else 0."""
    own = config.get("num_fewshot")
    return own or 0 if own == 0 or wanted is None else wanted


def _hide_progress_bars() -> None:
    """Of datasets; what it and lm-eval log goes where the command line sends it."""
    import datasets

    datasets.disable_progress_bars()
