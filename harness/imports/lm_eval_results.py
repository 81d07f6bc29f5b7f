"""Results of lm-eval (`results_….json`, 0.4.x): one record a task and one a group, in the metrics' own units.

The error is lm-eval's own, and the interval is derived from it (± z·stderr), for the file does not tell of which kind the
values are. With the samples files of the same run the error is that of minizoo's own records, from the values themselves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field

from harness.imports.drafts import LARGEST, NOT_STORED, Draft, Given, Part, Unusable, Whole, plain, scalars
from harness.imports.lm_eval_samples import MOST, NOT_JUDGED, Row, SamplesFile, read_samples
from harness.imports.run_files import task_of
from harness.metrics.task_metadata import metadata_of
from harness.records.record import MetricScore
from harness.stats.sufficient import PrintedStatistics
from zoo.errors import InvalidImport

TOOL = "lm-eval"
Value = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seed = Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)]
ENVIRONMENT = {
    "torch": r"^PyTorch version: (\S+)",
    "gpu": r"^(?:GPU models and configuration: )?GPU 0: (.+?)\s*$",
    "driver": r"^Nvidia driver version: (\S+)",
    "os": r"^OS: (.+?)\s*$",
}
"""What is read of torch's collect_env text."""
NAMING = ("peft", "delta", "pretrained", "model", "path", "engine")
"""Arguments that name a model, the first that is given: files of before 0.4.3 have no `model_name`."""
SAME = 1e-6
"""Relative: lm-eval adds the values of a mean one by one, of single precision where a task's code gives such."""
FAR_FUTURE = 1e11
"""Seconds since 1970, in the year 5138: anything later is no date."""


class Documents(Part):
    """How many documents a task has, and how many were run."""

    original: Whole
    effective: Whole


class Config(Part):
    """How lm-eval was called."""

    model: str | None = None
    model_args: str | dict[str, Any] | None = None
    model_dtype: str | None = None
    model_revision: str | None = None
    model_sha: str | None = None
    device: str | None = None
    random_seed: Seed | None = None
    limit: Value | None = None
    gen_kwargs: Any = None


class ResultsFile(Part):
    """What is read of a results file."""

    results: dict[str, dict[str, Any]] = Field(min_length=1)
    group_subtasks: dict[str, list[str]] = Field(default={})
    configs: dict[str, dict[str, Any]] = Field(default={})
    versions: dict[str, Any] = Field(default={})
    shots: dict[str, Any] = Field(default={}, alias="n-shot")
    higher_is_better: dict[str, dict[str, bool | None]] = Field(default={})
    samples: dict[str, Documents] = Field(default={}, alias="n-samples")
    config: Config = Config()
    date: Value | None = None
    model_name: str | None = None
    model_source: str | None = None
    lm_eval_version: str | None = None
    system_instruction: str | None = None
    task_hashes: dict[str, str] = Field(default={})
    """Task → sha256 over the hashes of its samples, where samples were kept."""
    transformers_version: str | None = None
    pretty_env_info: str | None = None
    total_evaluation_time_seconds: str | None = None


def read_lm_eval(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """A draft for every task and every group that has numbers."""
    file = ResultsFile.model_validate(document)
    found = [_draft(file, task, metrics, given) for task, metrics in file.results.items() if keys_of(metrics)]
    if any(metric == NOT_JUDGED for metrics in file.results.values() for metric, _ in keys_of(metrics)):
        raise Unusable("its answers were not judged (--predict_only)", "Evaluate again without --predict_only.")
    if not any(draft.scores for draft in found):
        raise Unusable("not one task in it has a score", "Take the file that lm-eval writes at the end of a run.")
    return found


def with_samples(
    document: Mapping[str, Any], drafts: Sequence[Draft], paths: Sequence[Path], given: Given
) -> list[Draft]:
    """The drafts of a results file, with the documents of the samples files and errors from their values.

    A metric whose aggregation nobody states keeps what was printed. InvalidImport for a samples file of another run or task,
    and for a second one of a task.
    """
    file = ResultsFile.model_validate(document)
    read: dict[str, SamplesFile] = {}
    for path in paths:
        task = task_of(path, [name for name, metrics in file.results.items() if keys_of(metrics)])
        if task in read:
            raise InvalidImport(
                f"{path} and {read[task].path} are both of task {task}.", f"{NOT_STORED} Give one of them."
            )
        read[task] = read_samples(path, keys_of(file.results[task]), metadata_of(task).cluster)
        counted = file.samples.get(task)
        read[task].check(task, file.task_hashes.get(task), counted.effective if counted else None)
    return [_judged(file, draft, read[draft.task], given) if draft.task in read else draft for draft in drafts]


def _judged(file: ResultsFile, draft: Draft, samples: SamplesFile, given: Given) -> Draft:
    n, counted = samples.documents, file.samples.get(draft.task)
    total = counted.original if counted and counted.original >= n else None
    partly = n < total if total is not None else file.config.limit is not None
    of_all = "" if total is None else f" of {total:,}"
    told: Any = file.configs.get(draft.task, {}).get("generation_kwargs")
    settings = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    sampled = bool(settings.get("temperature")) and settings.get("do_sample") is not False
    departures = {
        f"{n:,}{of_all} documents were run, not drawn at random": partly,
        "a system instruction stands before the prompts": file.system_instruction,
        "--gen_kwargs changed how answers are generated": file.config.gen_kwargs,
        "answers were sampled, and the file does not tell how much that moves the score": sampled,
    }
    rest = {"samples.file": samples.path.name, "samples.sha256": samples.sha256}
    return replace(
        draft,
        limit=n if partly else None,
        scores=tuple(_with_error(file, draft.task, score, samples, total, given) for score in draft.scores),
        samples=samples.as_samples(),
        departure="; ".join(words for words, true in departures.items() if true) or None,
        rest={**draft.rest, **rest},
    )


def _with_error(
    file: ResultsFile, task: str, score: MetricScore, samples: SamplesFile, total: int | None, given: Given
) -> MetricScore:
    """The score with what its error is derived from; InvalidImport where it is not that of the samples."""
    rows = [row for row in samples.rows.get(score.filter, ()) if score.metric in row.values]
    if not rows:
        raise samples.of_another_run(f"no document in it has {score.metric} ({score.filter})")
    stated, aggregation = _aggregation(file.configs.get(task, {}), score.metric)
    clusters = [row.cluster for row in rows if row.cluster is not None]
    clusters = clusters if len(clusters) == len(rows) == samples.documents else []
    made = given.aggregated(score.metric, aggregation, [row.values[score.metric] for row in rows], clusters)
    counted = {"n": len(rows), "total": total if len(rows) == samples.documents else None}
    if made is not None and score.value is not None and math.isclose(made[0], score.value, rel_tol=SAME, abs_tol=SAME):
        own = {"statistics": made[1], "clusters": len(set(clusters)) or None}
        return score.model_copy(update=counted | own)
    if made is not None and stated:
        why = (
            f"by its documents {score.metric} ({score.filter}) is {made[0]!r}, and the results file has {score.value!r}"
        )
        raise samples.of_another_run(why + _first_nan(rows, score.metric))
    return score.model_copy(update={"n": len(rows)})


def _first_nan(rows: Sequence[Row], metric: str) -> str:
    values = ((row.doc_id, row.values[metric]) for row in rows)
    place = next((place for place, value in values if isinstance(value, float) and math.isnan(value)), None)
    return "" if place is None else f"; document {place} has NaN"


def _aggregation(config: Mapping[str, Any], metric: str) -> tuple[bool, str | None]:
    """Whether the task's text says how the metric is aggregated, and lm-eval's name of it; None is the metric's usual way.

    A function of the task's own is no name that lm-eval knows, and of a Python class the file tells nothing.
    """
    listed: Any = config.get("metric_list")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    names = [entry.get("aggregation") for entry in entries if entry.get("metric") == metric]
    return bool(names), str(names[0]) if names and names[0] is not None else None


def _draft(file: ResultsFile, task: str, metrics: Mapping[str, Any], given: Given) -> Draft:
    samples, config, shots = file.samples.get(task), file.config, file.shots.get(task)
    environment = {name: found[1] for name, pattern in ENVIRONMENT.items()
                   if (found := re.search(pattern, file.pretty_env_info or "", re.MULTILINE))}  # fmt: skip
    versions = {
        "lm-eval": file.lm_eval_version,
        "transformers": file.transformers_version,
        "torch": environment.get("torch"),
    }
    scores, mixed = _scores(file, task, metrics, given)
    started, finished = _times(file)
    return Draft(
        tool=TOOL, version=file.lm_eval_version, task=task, suite=TOOL, model=file.model_name or _named(config),
        backend=config.model or file.model_source or "unknown", started=started, finished=finished, device=config.device,
        dtype=(config.model_dtype or "").removeprefix("torch.") or None, gpu=environment.get("gpu"),
        driver=environment.get("driver"), versions={name: version for name, version in versions.items() if version},
        revision=config.model_sha or None, seed=config.random_seed, task_version=plain(str(file.versions.get(task, ""))),
        shots=shots if isinstance(shots, int) and not isinstance(shots, bool) and 0 <= shots < LARGEST else None,
        limit=samples.effective if samples and samples.effective < samples.original else None,
        members=tuple(file.group_subtasks.get(task, ())), scores=scores,
        rest={
            **scalars(config.model_dump()),
            **scalars({"task": file.configs.get(task, {})}, ("task.doc_to_text", "task.doc_to_target", "task.description")),
            **({"os": environment["os"]} if "os" in environment else {}),
            **({"without_direction": ", ".join(mixed)} if mixed else {}),
        },
    )  # fmt: skip


def _named(config: Config) -> str | None:
    """The model by its arguments; None where they name none."""
    given = config.model_args or ""
    told = given if isinstance(given, dict) else dict(re.findall(r"(?:^|,)(\w+)=([^,]+)", given))
    return next((plain(str(told[name])) for name in NAMING if told.get(name)), None)


def _times(file: ResultsFile) -> tuple[datetime | None, datetime | None]:
    """When the run began and ended; None where the file does not tell."""
    if file.date is None or not 0 < file.date < FAR_FUTURE:
        return None, None
    started = datetime.fromtimestamp(file.date, UTC)
    try:
        return started, started + timedelta(seconds=float(file.total_evaluation_time_seconds or "nan"))
    except (ValueError, OverflowError):
        return started, None


def keys_of(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(metric, filter) of each score, filter by filter; keys are `acc,none` and, for the error, `acc_stderr,none`."""
    split = [key.partition(",") for key in metrics if "," in key]
    return [(metric, name) for metric, _, name in split if not metric.endswith("_stderr")]


def _scores(
    file: ResultsFile, task: str, metrics: Mapping[str, Any], given: Given
) -> tuple[tuple[MetricScore, ...], list[str]]:
    """The scores, and the metrics left out because nobody says which way is better."""
    found: list[MetricScore] = []
    mixed: list[str] = []
    for metric, name in keys_of(metrics):
        better = _direction(file, task, metric, given)
        if better is None:
            mixed.append(metric)
            continue
        value, stderr = (
            _number(task, key, metrics.get(key)) for key in (f"{metric},{name}", f"{metric}_stderr,{name}")
        )
        found.append(
            MetricScore(
                metric=metric, filter=name, value=value, n=_count(file, task), higher_is_better=better, chance=None,
                statistics=None if stderr is None else PrintedStatistics(stderr=stderr),
            )
        )  # fmt: skip
    return tuple(found), mixed


def _direction(file: ResultsFile, task: str, metric: str, given: Given) -> bool | None:
    """As the file says (null for a group whose tasks disagree); as lm-eval's own table does where an older file is silent."""
    told = file.higher_is_better.get(task, {})
    if metric in told:
        return told[metric]
    return given.direction(metric)


def _count(file: ResultsFile, task: str) -> int:
    """Documents that were scored; of a group, those of its tasks together; 0 where the file does not tell."""
    if task in file.samples:
        return file.samples[task].effective
    return sum(file.samples[leaf].effective for leaf in _leaves(file, task) if leaf in file.samples)


def _leaves(file: ResultsFile, group: str) -> set[str]:
    """Everything below a group, each once, however the groups refer to one another."""
    below: set[str] = set()
    waiting = list(file.group_subtasks.get(group, ()))
    while waiting:
        name = waiting.pop()
        if name not in below:
            below.add(name)
            waiting += file.group_subtasks.get(name, ())
    return below


def _number(task: str, key: str, value: Any) -> float | None:
    """lm-eval writes "N/A" for an error that it does not compute."""
    if value is None or value == "N/A":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:
        raise Unusable(f"{key} of {task} is {value!r:.40}, which is no number", "Evaluate again, or repair the file.")
    return float(value)
