"""The data of tasks that bring code for it: Python classes, and functions such as RULER's that make documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.mirror import read_rows
from harness.lmeval.index import lm_eval_tasks
from zoo.errors import DataMissing


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
