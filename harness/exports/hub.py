"""Figures for the Hugging Face hub: `.eval_results/*.yaml` of a model's repository, and the card's `model-index`.

Forms: hub-docs `eval_results.yaml` and `modelcard.md` of 2026. Neither has a field for shots, errors or the number of
documents: `.eval_results` keeps them in `notes`, `model-index` in `args`. Nothing here says `verified`: that is the hub's word.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from harness.exports.chosen import Chosen, Selection
from harness.exports.hub_figures import (
    HubFigure,
    hub_figures,
    interval_of,
    metric_of,
    shots_of,
    shown,
    stderr_of,
    unit_of,
    versions_of,
)
from harness.exports.places import folders_of, model_name
from harness.exports.writing import Files
from harness.records.record import MetricScore, Record
from zoo.errors import NothingRecorded

FOLDER = ".eval_results"
CARD = "model-index.yaml"
TASK_TYPE = "text-generation"
"""The hub's word for what language models do."""


def write_eval_results(selection: Selection, files: Files) -> list[str]:
    """Write `MODEL/.eval_results/DATASET.yaml` of every model; returns what a reader should be told, in sentences.

    Raises NothingRecorded where no task has a data set on the hub.
    """
    notes: list[str] = []
    folders = folders_of(one.model for one in selection.records)
    written = False
    for model, chosen in _by_model(selection).items():
        figures, left_out = hub_figures(chosen)
        notes += [f"{model}: {note}" for note in left_out]
        unknown = sorted({figure.task for figure in figures if figure.dataset is None})
        notes += [f"{model}: no data set of the hub is known of {', '.join(unknown)}: left out."] if unknown else []
        for dataset, entries in _entries(figures).items():
            written = True
            files.write(f"{folders[model]}/{FOLDER}/{dataset.replace('/', '--')}.yaml", [as_yaml(entries)])
        unlisted = sorted({f.dataset.id for f in figures if f.dataset and f.dataset.benchmark is None})
        if unlisted:
            notes.append(
                f"{model}: the hub shows results of data sets that are registered as benchmarks, and of "
                f"{', '.join(unlisted)} it is not known that they are; their task_id is the configuration's name."
            )
    if not written:
        raise NothingRecorded(
            "No result is of all documents of a task whose data set is on the hub, so there is nothing for .eval_results.",
            f"{' '.join(notes)} `--to model-index` has every whole task; `--to lm-eval` has parts as well.".strip(),
        )
    return notes


def write_model_index(selection: Selection, files: Files) -> list[str]:
    """Write `MODEL/model-index.yaml` of every model, the part of its card's metadata that tells results.

    Raises NothingRecorded where no task was run on all of its documents.
    """
    notes: list[str] = []
    folders = folders_of(one.model for one in selection.records)
    written = False
    for model, chosen in _by_model(selection).items():
        figures, left_out = hub_figures(chosen)
        notes += [f"{model}: {note}" for note in left_out]
        if figures:
            written = True
            files.write(f"{folders[model]}/{CARD}", [as_yaml({"model-index": model_index(model, figures)})])
    if not written:
        raise NothingRecorded(
            "No result is of all documents of a task, and a part is not put on a card.",
            "Evaluate without `--limit`; `--to lm-eval` has parts as well.",
        )
    return notes


def eval_result(figure: HubFigure) -> dict[str, Any]:
    """An entry of `.eval_results`: the metric that stands for the task."""
    assert figure.dataset is not None
    score, record = figure.scores[0], figure.record
    return {
        "dataset": {"id": figure.dataset.id, "task_id": figure.dataset.task_id},
        "value": shown(score),
        "date": f"{record.finished_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "notes": notes_of(figure.task, score, record),
    }


def notes_of(task: str, score: MetricScore, record: Record) -> str:
    """What the form has no field for: shots, metric and unit, error, n, versions, where, and the command."""
    error, setting = stderr_of(score), record.setting
    where = ", ".join(
        filter(None, (setting.backend, setting.precision, setting.gpu or setting.processor or setting.device))
    )
    told = (
        f"{shots_of(record)} {metric_of(score)} of lm-eval's task {task}, in {unit_of(score)}",
        "stderr unknown" if error is None else f"stderr {error:.4g}",
        f"n = {score.n:,}",
        f"{where}; {versions_of(record)}",
        f"run {record.run_id}" + ("" if record.source == "measured" else f" ({record.source})"),
        f"command: {setting.command}",
    )
    return "; ".join(told)


def model_index(model: str, figures: Sequence[HubFigure]) -> list[dict[str, Any]]:
    """The card's `model-index`: a result a task and number of shots, with every metric of it."""
    name = model_name(figures[0].record).removeprefix("./") if figures else model
    return [{"name": name, "results": [_result(figure) for figure in figures]}]


def as_yaml(document: Any) -> bytes:
    """YAML in the order of the keys, whatever text is in it."""
    from ruamel.yaml import YAML

    yaml: Any = YAML()
    yaml.width, yaml.allow_unicode, yaml.default_flow_style = 4096, True, False
    made = io.BytesIO()
    yaml.dump(_writable(document), made)
    return made.getvalue()


def _result(figure: HubFigure) -> dict[str, Any]:
    record, dataset = figure.record, figure.dataset
    told = (
        {"name": dataset.name, "type": dataset.id, "config": dataset.config, "split": dataset.split}
        if dataset
        else {"name": figure.task, "type": figure.task}
    )
    return {
        "task": {"type": TASK_TYPE, "name": f"{figure.task}, {shots_of(record)}"},
        "dataset": {**told, "args": _known({"num_few_shot": record.shots, "lm_eval_task": record.task})},
        "metrics": [_metric(score, record) for score in figure.scores],
    }


def _metric(score: MetricScore, record: Record) -> dict[str, Any]:
    setting, interval = record.setting, interval_of(score)
    args = {
        "unit": unit_of(score),
        "filter": score.filter,
        "stderr": stderr_of(score),
        "interval_95": list(interval) if interval else None,
        "n": score.n,
        "backend": setting.backend,
        "dtype": setting.dtype,
        "hardware": setting.gpu or setting.processor or setting.device,
        "versions": versions_of(record),
        "run_id": record.run_id,
        "date": f"{record.finished_at.astimezone(UTC):%Y-%m-%d}",
        "source": record.source,
        "command": setting.command,
    }
    return {
        "type": score.metric,
        "value": shown(score),
        "name": f"{metric_of(score)}, {unit_of(score)}",
        "args": _known(args),
    }


def _entries(figures: Sequence[HubFigure]) -> Mapping[str, list[dict[str, Any]]]:
    """Data set → its entries, a file each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for figure in figures:
        if figure.dataset is not None:
            found.setdefault(figure.dataset.id, []).append(eval_result(figure))
    return found


def _by_model(selection: Selection) -> Mapping[str, list[Chosen]]:
    found: dict[str, list[Chosen]] = {}
    for one in selection.records:
        found.setdefault(one.model, []).append(one)
    return found


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _writable(value: Any) -> Any:
    """The document with U+FFFD or a question mark for what YAML or UTF-8 cannot hold."""
    if isinstance(value, dict):
        return {key: _writable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_writable(part) for part in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
