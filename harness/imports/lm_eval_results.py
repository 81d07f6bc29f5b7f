"""Results of lm-eval (`results_….json`, 0.4.x): one record a task and one a group, in the metrics' own units.

The error is lm-eval's own, and the interval is derived from it (± z·stderr). A share of which kind the values are cannot be
told from the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from harness.imports.drafts import LARGEST, Draft, Given, Part, Unusable, Whole, plain, scalars
from harness.records.record import MetricScore
from harness.stats.sufficient import PrintedStatistics

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
MOST = 1e300
"""Of a score: a perplexity can be very large, and its interval must still be a number."""
FAR_FUTURE = 1e11
"""Seconds since 1970, in the year 5138: anything later is no date."""


class _Samples(Part):
    original: Whole
    effective: Whole


class _Config(Part):
    model: str | None = None
    model_args: str | dict[str, Any] | None = None
    model_dtype: str | None = None
    model_revision: str | None = None
    model_sha: str | None = None
    device: str | None = None
    random_seed: Seed | None = None


class _File(Part):
    results: dict[str, dict[str, Any]] = Field(min_length=1)
    group_subtasks: dict[str, list[str]] = Field(default={})
    configs: dict[str, dict[str, Any]] = Field(default={})
    versions: dict[str, Any] = Field(default={})
    shots: dict[str, Any] = Field(default={}, alias="n-shot")
    higher_is_better: dict[str, dict[str, bool | None]] = Field(default={})
    samples: dict[str, _Samples] = Field(default={}, alias="n-samples")
    config: _Config = _Config()
    date: Value | None = None
    model_name: str | None = None
    model_source: str | None = None
    lm_eval_version: str | None = None
    transformers_version: str | None = None
    pretty_env_info: str | None = None
    total_evaluation_time_seconds: str | None = None


def read_lm_eval(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """A draft for every task and every group that has numbers."""
    file = _File.model_validate(document)
    found = [_draft(file, task, metrics, given) for task, metrics in file.results.items() if _keys(metrics)]
    if not any(draft.scores for draft in found):
        raise Unusable("not one task in it has a score", "Take the file that lm-eval writes at the end of a run.")
    return found


def _draft(file: _File, task: str, metrics: Mapping[str, Any], given: Given) -> Draft:
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
        tool=TOOL, version=file.lm_eval_version, task=task, suite=TOOL, model=file.model_name,
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


def _times(file: _File) -> tuple[datetime | None, datetime | None]:
    """When the run began and ended; None where the file does not tell."""
    if file.date is None or not 0 < file.date < FAR_FUTURE:
        return None, None
    started = datetime.fromtimestamp(file.date, UTC)
    try:
        return started, started + timedelta(seconds=float(file.total_evaluation_time_seconds or "nan"))
    except (ValueError, OverflowError):
        return started, None


def _keys(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(metric, filter) of each score; keys are `acc,none` and, for the error, `acc_stderr,none`."""
    split = [key.partition(",") for key in metrics if "," in key]
    return [(metric, name) for metric, _, name in split if not metric.endswith("_stderr")]


def _scores(
    file: _File, task: str, metrics: Mapping[str, Any], given: Given
) -> tuple[tuple[MetricScore, ...], list[str]]:
    """The scores, and the metrics left out because nobody says which way is better."""
    found: list[MetricScore] = []
    mixed: list[str] = []
    for metric, name in _keys(metrics):
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


def _direction(file: _File, task: str, metric: str, given: Given) -> bool | None:
    """As the file says (null for a group whose tasks disagree); as lm-eval's own table does where an older file is silent."""
    told = file.higher_is_better.get(task, {})
    if metric in told:
        return told[metric]
    return given.direction(metric)


def _count(file: _File, task: str) -> int:
    """Documents that were scored; of a group, those of its tasks together; 0 where the file does not tell."""
    if task in file.samples:
        return file.samples[task].effective
    return sum(file.samples[leaf].effective for leaf in _leaves(file, task) if leaf in file.samples)


def _leaves(file: _File, group: str) -> set[str]:
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
