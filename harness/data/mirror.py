"""A local mirror of hub data sets: `DIR/<data set id>/<config or default>/<split>.jsonl`. With it no task needs the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import DataMissing, InvalidData

SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")


def mirrored(config: Mapping[str, Any], shots: int, data: Path) -> dict[str, Any]:
    """Overrides that make an lm-eval task configuration read from the mirror `data`; nothing is read yet.

    A declared split that the mirror lacks becomes null, except where lm-eval would then silently use another one: the
    split that is evaluated, and with `shots` the split that examples are drawn from. Those are DataMissing.
    """
    folder = data / config["dataset_path"] / (config.get("dataset_name") or "default")
    present = {path.stem for path in folder.glob("*.jsonl")}
    for split in {evaluated_split(config)} | ({fewshot_split(config)} if shots else set()):
        if split is not None and split not in present:
            raise DataMissing(
                f"Task {config['task']} needs {folder / f'{split}.jsonl'}, which is not there.",
                f"Fill the mirror: `minizoo data pull --tasks {config['task']} --data {data}`; or give another --data.",
            )
    absent = {key: None for key in SPLITS if config.get(key) is not None and config[key] not in present}
    wanted = sorted({config[key] for key in SPLITS if config.get(key) in present})
    return {**absent, "custom_dataset": _reader({split: folder / f"{split}.jsonl" for split in wanted})}


def evaluated_split(config: Mapping[str, Any]) -> str | None:
    """The split that lm-eval evaluates: test, else validation."""
    return config.get("test_split") or config.get("validation_split")


def fewshot_split(config: Mapping[str, Any]) -> str | None:
    """The split that lm-eval draws examples from: its own, else training, validation, test; None for listed examples."""
    if config.get("fewshot_split"):
        return config["fewshot_split"]
    own = config.get("fewshot_config") or {}
    if own.get("split"):
        return own["split"]
    if own.get("samples") is not None:
        return None
    return config.get("training_split") or evaluated_split(config)


def _reader(files: Mapping[str, Path]) -> Callable[..., Any]:
    def read(**_: Any) -> Any:
        from datasets import Dataset, DatasetDict

        return DatasetDict({split: Dataset.from_list(read_rows(path)) for split, path in files.items()})

    return read


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file; InvalidData names the line that is not a JSON object."""
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InvalidData(f"{path}:{number} is not JSON ({error}).", "Fetch the file again.") from None
            if not isinstance(row, dict):
                raise InvalidData(f"{path}:{number} is not a JSON object.", "Fetch the file again.")
            rows.append(row)
    if not rows:
        raise InvalidData(f"{path} is empty.", "Fetch the file again.")
    return rows
