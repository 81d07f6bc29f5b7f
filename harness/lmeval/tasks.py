"""lm-eval's own Task objects, loaded for a suite with its overrides: prompts, filters and metrics are all lm-eval's."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.manifest import LOCAL_FORMATS
from harness.data.mirror import mirrored
from harness.data.offline import hub_offline
from harness.lmeval.expansion import expand, make_group
from harness.lmeval.generation import request_options
from harness.lmeval.index import folders_of
from harness.lmeval.load_errors import translated_load_errors
from harness.lmeval.own_data import mirrored_class, with_tokenizer
from harness.lmeval.support import check_loaded, refused, task_class
from harness.metrics.task_metadata import TaskMetadata, metadata_of
from harness.suites.suite import Overflow, Suite, SuiteTask, known_folders
from zoo.errors import EnvironmentIssue, InvalidTask, MinizooError, UnknownTask
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
class Source:
    """Where tasks take their data from."""

    mirror: Path | None
    """A local mirror of hub data sets; None for the hub and its cache."""
    tokenizer: Path | None

    def overrides(self, name: str, config: Mapping[str, Any], shots: int) -> dict[str, Any]:
        """What in a task's YAML makes it read from there; DataMissing where the mirror lacks what it needs."""
        counted = with_tokenizer(config, self.tokenizer)
        if self.mirror is None or config.get("custom_dataset"):
            return counted
        if (kind := task_class(config)) is not None:
            return mirrored_class(name, kind, self.mirror)
        known = config.get("dataset_path")
        return mirrored(config, shots, self.mirror) if known and known not in LOCAL_FORMATS else {}


@dataclass(frozen=True)
class LoadedSuite:
    """The leaf tasks of a suite in order, and lm-eval's groups over them, innermost first."""

    tasks: Mapping[str, LoadedTask]
    groups: tuple[Any, ...] = ()


def load_tasks(
    suite: Suite,
    data: Path | None,
    limit: int | None = None,
    overflow: Overflow | None = None,
    absent: dict[str, MinizooError] | None = None,
    tokenizer: Path | None = None,
) -> LoadedSuite:
    """Load every leaf task of the suite, with its data (from the mirror `data` where given, else as lm-eval does).

    `limit` (documents a leaf task) and `overflow` are the command's and win over the suite's. With `absent` an entry whose
    data cannot be had is left out and named there with the error. `tokenizer` is the folder of the one by which tasks such as
    RULER's make documents of a length. Raises UnknownTask, InvalidTask, UnsafeTask and UnsupportedRequest for what is not
    loaded, DataMissing for data that is not in the mirror or must come from the hub and cannot.
    """
    _hide_progress_bars()
    random.seed(0)  # as lm-eval does before loading: some tasks shuffle at load time
    manager = _manager(suite)
    tasks: dict[str, LoadedTask] = {}
    groups: dict[str, Any] = {}
    for entry in suite.tasks:
        expansion = expand(entry.task, manager.task_index)
        for name in expansion.overrides:
            if name in tasks:
                raise InvalidTask(f"Task {name} stands twice in suite {suite.name}.", "Name it once.")
        try:
            with hub_offline() if data is not None else nullcontext():
                tasks |= {
                    name: _load(name, overrides, entry, manager, Source(data, tokenizer), limit, overflow)
                    for name, overrides in expansion.overrides.items()
                }
        except EnvironmentIssue as error:
            if absent is None:
                raise
            absent[entry.task] = error
            continue
        groups |= {
            name: make_group(name, config, [tasks[n].task for n in below])
            for name, (config, below) in expansion.groups.items()
        }
    return LoadedSuite(tasks, tuple(group for group in groups.values() if group.has_aggregation))


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
) -> LoadedTask:
    config = {**(manager.task_index[name].cfg or {}), **overrides}
    shots = _shots(config, entry.shots)
    spec = {**overrides, "task": name, **_decoded(config, entry)}
    if found := refused(name, {**config, **spec}):
        raise found[1]
    with translated_load_errors(name, config):
        spec |= source.overrides(name, config, shots)
        # An override reaches a registered task only through a group; a bare dict would be a new task.
        task = manager.load([{"group": f"minizoo::{name}", "task": [spec]}])["tasks"][name]
    check_loaded(name, task)
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


def _shots(config: Mapping[str, Any], wanted: int | None) -> int:
    """lm-eval's rule: a task whose file says 0 stays at 0; else what is asked for; else the task's own; else 0."""
    own = config.get("num_fewshot")
    return own or 0 if own == 0 or wanted is None else wanted


def _hide_progress_bars() -> None:
    """Of datasets; what it and lm-eval log goes where the command line sends it."""
    import datasets

    datasets.disable_progress_bars()
