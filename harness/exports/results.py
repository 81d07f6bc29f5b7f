"""lm-eval's results file: the numbers of one run, as lm-eval 0.4.13 prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.exports.chosen import Chosen, Failed
from harness.exports.places import model_name
from harness.exports.samples import Samples, settings_of
from harness.records.derived import estimate
from harness.records.record import MetricScore, Record
from harness.stats.estimate import finite
from harness.stats.sufficient import MeanStatistics, TransformStatistics

NOT_COMPUTED = "N/A"
"""lm-eval's word for an error that it does not have."""
FORM = "minizoo.lm-eval/1"
LEFT_OUT = (
    "doc: the documents themselves, of which records keep the hash",
    "configs: templates and data of a task, of which records keep a digest (task_digest)",
    "arguments: where `minizoo.arguments_exact` is false, what is null or absent of them was not kept",
)
"""What a file of lm-eval's own has and this one cannot have."""


def results_document(
    chosen: Sequence[Chosen], failed: Sequence[Failed], written: Mapping[str, Samples], folder: str
) -> dict[str, Any]:
    """The document of one run, for `folder`. `written` are the samples, by task, whose lines stand beside it."""
    records = [one.record for one in chosen]
    leaves, groups = ([r for r in records if bool(r.members) is group] for group in (False, True))
    printed = {record.task: _printed(record) for record in [*leaves, *groups]}
    return {
        "results": printed,
        **({"groups": {record.task: printed[record.task] for record in groups}} if groups else {}),
        "group_subtasks": subtasks_of(groups),
        "configs": {
            one.record.task: _config(one, written.get(one.record.task)) for one in chosen if not one.record.members
        },
        "versions": {record.task: _version(record.task_version) for record in records},
        "n-shot": {record.task: record.shots for record in records if record.shots is not None},
        "higher_is_better": {
            record.task: {score.metric: score.higher_is_better for score in record.scores} for record in records
        },
        "n-samples": {record.task: _counted(record) for record in leaves},
        **_run(records),
        "model_name_sanitized": folder,
        "task_hashes": {task: samples.task_hash for task, samples in written.items()},
        "minizoo": _own(records, failed),
    }


def subtasks_of(groups: Sequence[Record]) -> dict[str, list[str]]:
    """Group → the groups and tasks right below it. A record knows its leaves only: a group whose leaves are part of another's
    stands below it."""
    by_size = sorted(groups, key=lambda record: (len(record.members), record.task))
    below: dict[str, list[str]] = {}
    for at, group in enumerate(by_size):
        left, inside = set(group.members), list[str]()
        for other in reversed(by_size[:at]):
            if set(other.members) <= left:
                inside.append(other.task)
                left -= set(other.members)
        below[group.task] = [*reversed(inside), *(member for member in group.members if member in left)]
    return {group.task: below[group.task] for group in groups}


def _printed(record: Record) -> dict[str, Any]:
    """Name, number of documents, and each metric with its error."""
    made: dict[str, Any] = {"name": record.task, "alias": record.task, "sample_len": _documents(record)}
    for score in record.scores:
        stderr = finite(estimate(score)).stderr
        made[f"{score.metric},{score.filter}"] = score.value
        made[f"{score.metric}_stderr,{score.filter}"] = NOT_COMPUTED if stderr is None else stderr
    if record.members:
        made["sample_count"] = {f"{score.metric},{score.filter}": score.n for score in record.scores}
    return made


def _documents(record: Record) -> int:
    return record.counts.documents if record.counts else max((score.n for score in record.scores), default=0)


def _counted(record: Record) -> dict[str, int]:
    effective = _documents(record)
    total = record.counts.documents_total if record.counts else max((s.total or 0 for s in record.scores), default=0)
    return {"original": max(total, effective), "effective": effective}


def _config(one: Chosen, samples: Samples | None) -> dict[str, Any]:
    """What a record and its samples tell of a task's text."""
    record, rows = one.record, samples.documents if samples else None
    return {
        "task": record.task,
        "num_fewshot": record.shots,
        "metric_list": _metrics(record.scores, rows),
        **({"output_type": samples.output_type} if samples and samples.output_type else {}),
        **({"generation_kwargs": settings_of(one), "repeats": record.decoding.get("n", 1)} if record.decoding else {}),
        "metadata": {"version": _version(record.task_version), "task_digest": record.task_digest},
    }


def _metrics(scores: Sequence[MetricScore], rows: int | None) -> list[dict[str, Any]]:
    """An entry a metric, with its aggregation where that is the same for each filter of it."""
    found: dict[str, list[MetricScore]] = {}
    for score in scores:
        found.setdefault(score.metric, []).append(score)
    made: list[dict[str, Any]] = []
    for metric, listed in found.items():
        ways = {_aggregation(score) if rows in (None, score.n) else None for score in listed}
        way = ways.pop() if len(ways) == 1 else None
        told = {"metric": metric, "higher_is_better": listed[0].higher_is_better}
        made.append(told | ({"aggregation": way} if way else {}))
    return made


def _aggregation(score: MetricScore) -> str | None:
    """lm-eval's name of it, where the statistics tell; None where they do not."""
    match score.statistics:
        case MeanStatistics():
            return "mean"
        case TransformStatistics(function="-x/ln 2"):
            return "bits_per_byte"
        case TransformStatistics(statistics=MeanStatistics()):
            return "perplexity"
        case TransformStatistics():
            return "weighted_perplexity"
        case _:
            return None


def _run(records: Sequence[Record]) -> dict[str, Any]:
    """What lm-eval's files say of the run as a whole."""
    record = records[0]
    setting, name = record.setting, model_name(record)
    began, finished = times_of(records)
    limits = {record.limit for record in records if not record.members}
    arguments = {"pretrained": name, "dtype": setting.dtype, "revision": record.subject.revision}
    return {
        "config": {
            "model": setting.backend,
            "model_args": {key: value for key, value in arguments.items() if value},
            "model_dtype": f"torch.{setting.dtype}",
            "model_revision": record.subject.revision or "main",
            "model_sha": record.subject.revision or "",
            "batch_size": None,
            "batch_sizes": [],
            "device": setting.device,
            "use_cache": None,
            "limit": next(iter(limits)) if len(limits) == 1 else None,
            "bootstrap_iters": 0,
            "gen_kwargs": None,
            "random_seed": setting.seed,
        },
        "git_hash": setting.git_sha,
        "date": began.timestamp(),
        "pretty_env_info": _environment(record),
        "transformers_version": setting.versions.get("transformers"),
        "lm_eval_version": setting.versions.get("lm-eval"),
        "upper_git_hash": None,
        "max_length": record.context,
        "model_source": setting.backend,
        "model_name": name,
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": record.chat_template is not None,
        "chat_template": None,
        "chat_template_sha": record.chat_template,
        "total_evaluation_time_seconds": str((finished - began).total_seconds()),
    }


def times_of(records: Sequence[Record]) -> tuple[datetime, datetime]:
    """When the run began and ended, in UTC."""
    began = min(record.run_started_at or record.started_at for record in records)
    return began.astimezone(UTC), max(record.finished_at for record in records).astimezone(UTC)


def _environment(record: Record) -> str:
    """What is known of it, in the words of torch's own report, where lm-eval's readers look for it."""
    setting = record.setting
    told = {
        "PyTorch version": setting.versions.get("torch"),
        "OS": setting.platform,
        "CPU": setting.processor,
        "GPU 0": setting.gpu,
        "Nvidia driver version": setting.driver,
    }
    return "\n".join(f"{name}: {value}" for name, value in told.items() if value)


def _own(records: Sequence[Record], failed: Sequence[Failed]) -> dict[str, Any]:
    """What lm-eval has no word for."""
    first = records[0]
    return {
        "form": FORM,
        "run_id": first.run_id,
        "suite": first.suite,
        "source": first.source,
        "command": first.setting.command,
        "versions": first.setting.versions,
        "compute_dtype": first.setting.compute_dtype,
        "weights_digest": first.subject.weights_digest,
        "tokenizer_digest": first.subject.tokenizer_digest,
        "intervals": {record.task: _intervals(record) for record in records},
        "failed": {one.task: one.reason for one in failed if one.run_id == first.run_id},
        "left_out": list(LEFT_OUT),
    }


def _intervals(record: Record) -> dict[str, list[float | None]]:
    """Metric and filter → the 95 % interval; [null, null] where none can be given."""
    made = {f"{score.metric},{score.filter}": finite(estimate(score)) for score in record.scores}
    return {key: [found.lower, found.upper] for key, found in made.items()}


def _version(text: str) -> str | int | float:
    """A task's version as its YAML has it: a number, or a word."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
