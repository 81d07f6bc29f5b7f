"""Where a task's data come from: a mirror, the hub or its cache, and the Parquet export of a data set that comes as a script.

Tasks that bring code for it (Python classes, functions such as RULER's that make documents) are told what they need to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.data.exports import exports_folder, fetch_export, kept_export
from harness.data.manifest import LOCAL_FORMATS, Needed, needed_files
from harness.data.mirror import mirrored, read_rows
from harness.data.offline import hub_offline
from harness.lmeval.loading.index import lm_eval_tasks
from harness.lmeval.loading.load_errors import is_script, translated_load_errors
from harness.lmeval.loading.support import task_class
from zoo.checkpoint.hub.reachable import hub_reachable
from zoo.errors import DataMissing, InvalidTask

Load = Callable[[Mapping[str, Any]], Any]
"""Makes lm-eval's task with these further overrides of its YAML."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """Where the tasks of a run take their data from."""

    mirror: Path | None
    """A local mirror of hub data sets; None for the hub and its cache."""
    tokenizer: Path | None
    """The folder of the tokenizer by which some tasks make documents of a length."""
    tell: Tell | None = None
    """Is told what is fetched in another way than lm-eval would."""

    def loaded(self, task: str, config: Mapping[str, Any], shots: int, load: Load) -> tuple[Any, str | None]:
        """The task with its data, and where these come from if it is neither the mirror nor what its YAML names.

        Raises DataMissing and InvalidData for data that are not to be had, and what `translated_load_errors` makes of the rest.
        """
        if self.mirror is not None:
            with hub_offline(), translated_load_errors(task, config):
                return load(self._in_mirror(task, config, shots, self.mirror)), None
        needed = _of_hub(config, shots)
        with translated_load_errors(task, config), self._hub(config):  # the reason is told as it is outside
            told = kept_export(needed)
            if told is None:
                try:
                    return load(with_tokenizer(config, self.tokenizer)), None
                except Exception as error:
                    if not (needed and is_script(error)):
                        raise
                known = needed[0].dataset in self._scripts
                self._scripts.add(needed[0].dataset)
                told = fetch_export(task, needed, None if known else self.tell)
            return load(mirrored(config, shots, exports_folder())), told

    def _in_mirror(self, task: str, config: Mapping[str, Any], shots: int, mirror: Path) -> dict[str, Any]:
        """What in a task's YAML makes it read from the mirror; DataMissing where that lacks what it needs."""
        if config.get("custom_dataset"):
            return with_tokenizer(config, self.tokenizer)
        if (kind := task_class(config)) is not None:
            return mirrored_class(task, kind, mirror)
        known = config.get("dataset_path")
        return mirrored(config, shots, mirror) if known and known not in LOCAL_FORMATS else {}

    def _hub(self, config: Mapping[str, Any]) -> AbstractContextManager[None]:
        """The network, unless the task needs the hub and that cannot be reached: then only its cache, and no retries."""
        asks = "class" in config or (config.get("dataset_path") and config["dataset_path"] not in LOCAL_FORMATS)
        return nullcontext() if not asks or self._reachable else hub_offline()

    @cached_property
    def _scripts(self) -> set[str]:
        """Data sets that came as a script, each told once."""
        return set()

    @cached_property
    def _reachable(self) -> bool:
        """Asked only where a task needs to know."""
        return hub_reachable()


def _of_hub(config: Mapping[str, Any], shots: int) -> list[Needed]:
    """The splits that a task of YAML reads of a hub data set; nothing for what is none."""
    try:
        return needed_files([{**config, "num_fewshot": shots}])
    except InvalidTask:  # a local folder, whose name is no path in a mirror
        return []


def mirrored_class(name: str, kind: Any, data: Path) -> dict[str, Any]:
    """The override that makes a task's Python class read its data set (`DATASET_PATH`, `DATASET_NAME`) from a mirror.

    Raises DataMissing where the mirror has no split of it, and for a class that downloads in a way of its own.
    """
    from lm_eval.api.task import ConfigurableTask, Task

    if kind.download not in (ConfigurableTask.download, Task.download) or kind.DATASET_PATH is None:
        raise DataMissing(
            f"Task {name} is a class that fetches its data in a way of its own, which no mirror holds.",
            "Run it without --data.",
        )
    folder = data / kind.DATASET_PATH / (kind.DATASET_NAME or "default")
    files = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    if not files:
        raise DataMissing(
            f"Task {name} needs the splits of {kind.DATASET_PATH} as {folder / '<split>.jsonl'}, which are not there.",
            "Put them there, or run it without --data.",
        )
    return {"class": type(kind.__name__, (kind,), {"__module__": kind.__module__, "download": _reader(files)})}


def with_tokenizer(config: Mapping[str, Any], tokenizer: Path | None) -> dict[str, Any]:
    """The override that tells lm-eval's own document makers which tokenizer counts their tokens, as lm-eval's runs tell them.

    Nothing for tasks that read documents, and without a tokenizer.
    """
    maker = config.get("custom_dataset")
    if tokenizer is None or not isinstance(maker, str) or not Path(maker).is_relative_to(lm_eval_tasks()):
        return {}
    return {"metadata": {**(config.get("metadata") or {}), "pretrained": str(tokenizer)}}


def _reader(files: Mapping[str, Path]) -> Any:
    def download(self: Any, *_: Any, **__: Any) -> None:
        from datasets import Dataset, DatasetDict

        self.dataset = DatasetDict({split: Dataset.from_list(read_rows(path)) for split, path in files.items()})

    return download
