"""A mirror's data sets served to lm-eval: what its tasks ask of `datasets.load_dataset` is read from the mirror's files.

Task files, Python classes and functions of tasks all come through the one function below `load_dataset`, however they imported
it, and for whatever model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.data.manifest import HUB_ID, LOCAL_FORMATS
from harness.data.mirror import read_rows
from harness.data.offline import hub_offline
from harness.lmeval.drop_in.refusals import unsafe
from harness.lmeval.drop_in.replacing import replaced
from harness.lmeval.loading.load_errors import translated_load_errors
from zoo.checkpoint.hub.reachable import hub_reachable
from zoo.errors import DataMissing, MinizooError

OWN_FILES = ("data_files", "data_dir")
"""Arguments of `load_dataset` that pick files of a data set, which a mirror does not tell apart."""
PIECE = re.compile(r"\s*([^\[+]+?)\s*(?:\[[^\]]*\])?\s*(?:\+|$)")
"""A split in `train[:10%]+test`."""


@dataclass
class Served:
    """What lm-eval's tasks were served."""

    mirror: Path | None
    task: str = "of this run"
    """The task that is being made."""
    without_examples: dict[str, DataMissing] = field(default_factory=dict[str, DataMissing])
    """Tasks that have no few-shot examples in the mirror, and why: they run where none are asked for."""
    offline: ExitStack = field(default_factory=ExitStack)
    """Left when a task cannot be made, which ends the run: why the hub cannot be reached is then told as it is."""

    def check_shots(self, tasks: Mapping[str, Any]) -> None:
        """Raise DataMissing for the first of these tasks that wants examples which the mirror lacks."""
        for name, task in tasks.items():
            if (missing := self.without_examples.get(name)) and task.config.num_fewshot:
                raise missing


@contextmanager
def served_data(mirror: Path | None) -> Generator[Served]:
    """Inside, lm-eval's data sets come from `mirror`, or without one from the hub and its cache; an error names its task.

    The network is not touched with a mirror, nor where the hub cannot be reached: only the cache is, without retries.
    Raises DataMissing when a split is asked for that the mirror lacks, and what `translated_load_errors` makes of the rest.
    """
    import datasets.load
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._factory import TaskFactory

    served = Served(mirror)
    with served.offline, ExitStack() as stack:
        stack.enter_context(replaced(TaskFactory, "_build_task", _naming(served, vars(TaskFactory)["_build_task"])))
        if mirror is not None:
            builder = _mirrored_builder(served, mirror, datasets.load.load_dataset_builder)
            stack.enter_context(replaced(datasets.load, "load_dataset_builder", builder))
            examples = _examples(served, vars(ConfigurableTask)["fewshot_docs"])
            stack.enter_context(replaced(ConfigurableTask, "fewshot_docs", examples))
        if mirror is not None or not hub_reachable():
            served.offline.enter_context(hub_offline())
        yield served


def _naming(served: Served, build: Callable[..., Any]) -> Callable[..., Any]:
    """lm-eval's maker of a task, which says of what it cannot make which task it was; none is made that runs generated code."""

    def build_task(factory: Any, entry: Any, overrides: Mapping[str, Any] | None) -> Any:
        served.task = (overrides or {}).get("task", entry.name)
        config = {**_config(entry), **(overrides or {})}
        if config.get("unsafe_code"):
            raise unsafe(served.task)
        try:
            return build(factory, entry, overrides)
        except MinizooError:
            raise
        except (Exception, SystemExit):
            served.offline.close()
            with translated_load_errors(served.task, config):
                raise

    return build_task


def _config(entry: Any) -> Mapping[str, Any]:
    """What the task's YAML says, its functions as paths."""
    from lm_eval.tasks._yaml_loader import load_yaml

    if entry.cfg or not entry.yaml_path:
        return entry.cfg or {}
    try:
        return load_yaml(entry.yaml_path, resolve_func=False)
    except Exception:  # the very reason that there is no task
        return {}


def _examples(served: Served, fewshot_docs: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """lm-eval reads the examples of every task, also where none are asked for: a mirror need not have those."""

    def docs(task: Any) -> Any:
        try:
            return fewshot_docs(task)
        except DataMissing as missing:
            served.without_examples[task.config.task] = missing
            return []

    return docs


def _mirrored_builder(served: Served, mirror: Path, usual: Callable[..., Any]) -> Callable[..., Any]:
    """What `load_dataset` takes for the maker of a data set."""

    def builder(path: str, name: str | None = None, **options: Any) -> Any:
        if path in LOCAL_FORMATS or Path(path).exists() or not HUB_ID.fullmatch(path):
            return usual(path=path, name=name, **options)
        if given := [option for option in OWN_FILES if options.get(option)]:
            raise DataMissing(
                f"Task {served.task} picks files of the data set {path} by {' and '.join(given)}, and a mirror keeps no files.",
                "Run it without --data.",
            )
        return _Builder(_splits(served.task, mirror, mirror / path / (name or "default")))

    return builder


@dataclass
class _Builder:
    """The part of a `datasets` builder that `load_dataset` uses."""

    splits: Any
    info: Any = field(default_factory=lambda: SimpleNamespace(dataset_size=None))

    def download_and_prepare(self, **_: Any) -> None:
        """Nothing is to be fetched."""

    def as_dataset(self, split: Any = None, **_: Any) -> Any:
        """All splits, or the one that is named, a part of it or several together."""
        if split is None:
            return self.splits
        if isinstance(split, list):
            return [self.as_dataset(one) for one in split]
        return self._instructed(str(split))

    def as_streaming_dataset(self, split: Any = None) -> Any:
        """The same, to be read one by one."""
        from datasets import IterableDatasetDict

        if split is None:
            return IterableDatasetDict({name: one.to_iterable_dataset() for name, one in self.splits.items()})
        return self.as_dataset(split).to_iterable_dataset()

    def _instructed(self, split: str) -> Any:
        from datasets import ReadInstruction, concatenate_datasets

        lengths = {name: len(self.splits[name]) for name in PIECE.findall(split)}
        parts = ReadInstruction.from_spec(split).to_absolute(lengths)
        return concatenate_datasets([self.splits[part.splitname].select(range(part.from_, part.to)) for part in parts])


def _splits(task: str, mirror: Path, folder: Path) -> Any:
    """The splits that a folder of the mirror has; one that it lacks is DataMissing where it is asked for."""
    from datasets import Dataset, DatasetDict

    hint = f"Fill the mirror: `minizoo data pull --tasks {task} --data {mirror}`; or give another --data."

    class Splits(DatasetDict):
        def __missing__(self, split: str) -> Any:
            raise DataMissing(f"Task {task} needs {folder / f'{split}.jsonl'}, which is not there.", hint)

    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise DataMissing(f"Task {task} needs {folder / '<split>.jsonl'}, which is not there.", hint)
    return Splits({path.stem: Dataset.from_list(read_rows(path)) for path in files})
