"""Records of a run that lm-eval's own evaluator made of our model: its numbers, our samples and errors."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness.conformance.self_check import known
from harness.conformance.standing import scored
from harness.lmeval.drop_in.chosen import Chosen, chosen_documents
from harness.lmeval.encoding import overflowing
from harness.lmeval.estimates import that_were_run
from harness.lmeval.finite import NO_NUMBER, metrics_not_finite
from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import Document, digest_of
from harness.lmeval.scores import score_group, score_task
from harness.records.files import new_run_id, write_run
from harness.records.provenance import setting_of, subject_of
from harness.records.record import SCORED, Conformance, Counts, MetricScore, Record
from harness.suites.suite import SuiteTask
from zoo.errors import MinizooError, NotWritable, ScoresNotFinite, TaskFailed, one_line
from zoo.files import check_writable

SUITE = "lm-eval"
SAME = 1e-9
"""Relative: lm-eval adds the values of a mean one by one, minizoo without rounding in between."""


@dataclass(frozen=True)
class RunFacts:
    """What lm-eval was asked, in its own words: its task objects do not tell."""

    began: datetime
    """When the evaluation began, with its zone."""
    seconds: float
    """From there until the last answer was judged, by a steady clock."""
    limit: float | None = None
    """`--limit`: the first so many documents of each task, below 1 a share of them."""
    samples: Mapping[str, Sequence[int]] | None = None
    """`--samples`: task → places of its documents."""
    num_fewshot: int | None = None
    system_instruction: str | None = None
    apply_chat_template: bool | str = False
    fewshot_as_multiturn: bool = True
    gen_kwargs: Mapping[str, Any] | str | None = None
    predict_only: bool = False
    seeds: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    """`random_seed`, `numpy_seed`, `torch_seed`, `fewshot_seed`, as lm-eval's result files name them."""
    command: tuple[str, ...] | None = None
    """The command line; None takes this process's."""

    def asked(self) -> dict[str, Any]:
        """All that changes prompts, answers or the choice of documents, as plain values; `samples` is told task by task."""
        names = ("limit", "num_fewshot", "system_instruction", "apply_chat_template", "fewshot_as_multiturn")
        settings = self.gen_kwargs if isinstance(self.gen_kwargs, str | None) else dict(self.gen_kwargs)
        return {name: getattr(self, name) for name in names} | {"gen_kwargs": settings, **self.seeds}

    def departures(self) -> list[str]:
        """What makes the prompts or answers others than the task's own, in a few words each."""
        told = {
            "a system instruction stands before the prompts": self.system_instruction,
            "--gen_kwargs changed how answers are generated": self.gen_kwargs,
        }
        return [words for words, given in told.items() if given]


def record_run(
    lm: Any, task_dict: Mapping[str, Any], results: Mapping[str, Any], facts: RunFacts, folder: Path
) -> list[Record]:
    """Record every task and group of a run below `folder`, of what `lm_eval.evaluator.evaluate` was given and returned.

    The numbers are lm-eval's own. A task is recorded as failed where its answers are NaN or infinite, or where judging them
    again gives another number than lm-eval's; a group with such a task is not recorded. Returns an empty list for a run
    that judged nothing (`--predict_only`). All records are written or none: NotWritable.
    """
    if facts.predict_only:
        return []
    check_writable(folder)
    run = _Run(lm, facts, known(lm.engine, lm.checkpoint, folder))
    made = [run.task(name, task, results["results"][name]) for name, task in task_dict["tasks"].items()]
    by_name = {record.task: record for record, _ in made}
    for group in (task_dict.get("groups") or {}).values():
        below = [by_name[task.task_name] for task in group.get_all_tasks()] if group.has_aggregation else []
        if below and all(record.status in SCORED for record in below):
            made.append((run.group(group, below, results["results"][group.name]), []))
    _write(folder, run.run_id, made)
    return [record for record, _ in made]


class _Run:
    """What all records of the run share is worked out once: every byte of the weights is read for their digest."""

    def __init__(self, lm: Any, facts: RunFacts, conformance: Conformance) -> None:
        self.run_id = new_run_id()
        self._lm = lm
        self._facts = facts
        self._conformance = conformance
        self._own = _own_settings(lm)
        self._departures = [*facts.departures(), *([f"--model_args gave {', '.join(self._own)}"] if self._own else [])]
        setting = setting_of(lm.engine, lm.seed, None if facts.command is None else list(facts.command))
        subject = subject_of(lm.checkpoint)
        self._shared: dict[str, Any] = {
            "run_id": self.run_id,
            "suite": SUITE,
            "overflow": "truncate",
            "subject": subject.model_copy(update={"tokenizer_digest": ""}) if "tokenizer" in self._own else subject,
            "setting": setting,
            "conformance": conformance,
            "context": lm.max_length,
            "context_assumed": lm.checkpoint.context.assumed,
            "chat_template": _template_sha(lm, facts),
            "started_at": facts.began,
            "run_started_at": facts.began,
            "finished_at": facts.began + timedelta(seconds=facts.seconds),
        }

    def task(self, name: str, task: Any, theirs: Mapping[str, Any]) -> tuple[Record, list[dict[str, Any]]]:
        """The record of a leaf task, with its samples."""
        shots = task.config.num_fewshot or 0
        loaded = LoadedTask(name, task, shots, None, "truncate", SuiteTask(task=name, shots=shots))
        about = {"task": name, "task_version": str(task.VERSION), "shots": shots}
        try:
            chosen = chosen_documents(loaded, (self._facts.samples or {}).get(name))
            _check_finite(name, chosen.documents)
            scores, samples = score_task(loaded, chosen.documents, chosen.total)
            scores = _as_printed(name, scores, theirs)
            absent = metrics_not_finite(scores)
            if absent and all(score.value is None for score in scores):
                raise ScoresNotFinite(absent)
        except Exception as error:  # a task's own code: whatever it raises is that task's failure, not the run's
            failure = (
                error if isinstance(error, MinizooError) else TaskFailed(f"{type(error).__name__}: {one_line(error)}")
            )
            told = {"code": failure.code, "reason": str(failure), "counts": None, "task_digest": "", "limit": None}
            return self._record(about, [], "unknown", status="failed", **told), []
        record = self._record(
            about,
            [*chosen.departures, *self._departures],
            chosen.words,
            **scored(self._conformance, self._lm.engine.name, absent),
            task_digest=digest_of(task, chosen.documents),
            limit=None if chosen.whole else len(chosen.documents),
            decoding=loaded.decoding,
            counts=self._counts(loaded, chosen),
            scores=tuple(scores),
        )
        return record, samples

    def group(self, group: Any, below: Sequence[Record], theirs: Mapping[str, Any]) -> Record:
        """The record of a group, from those of its leaf tasks."""
        scores = score_group(group, {record.task: record.scores for record in below}, that_were_run)
        scores = _as_printed(group.name, scores, theirs)
        shots = {record.shots for record in below}
        limits = [record.limit for record in below if record.limit]
        partly = ["not every document of its tasks was run"] if limits else []
        counts = [record.counts for record in below if record.counts]
        about = {
            "task": group.name,
            "task_version": str(group.version),
            "shots": shots.pop() if len(shots) == 1 else None,
        }
        return self._record(
            about,
            [*partly, *self._departures],
            "those of its tasks",
            **scored(self._conformance, self._lm.engine.name, metrics_not_finite(scores)),
            task_digest="",
            limit=max(limits, default=None),
            members=tuple(record.task for record in below),
            counts=Counts(**{name: sum(getattr(each, name) for each in counts) for name in Counts.model_fields}),
            scores=tuple(scores),
        )

    def _record(self, about: Mapping[str, Any], departures: Sequence[str], documents: str, **fields: Any) -> Record:
        entry = {"task": about["task"], "shots": about["shots"], "documents": documents}
        entry |= {"departure": "; ".join(departures)} if departures else {}
        asked = {"name": SUITE, "tasks": [entry], "lm_eval": self._facts.asked() | {"model_args": self._own}}
        return Record(**self._shared, **about, **fields, resolved_suite=asked)

    def _counts(self, loaded: LoadedTask, chosen: Chosen) -> Counts:
        units = self._lm.encoder.units(loaded, chosen.documents)
        return Counts(
            documents=len(chosen.documents),
            documents_total=chosen.total,
            requests=sum(i.repeats or 1 for document in chosen.documents for i in document.instances),
            tokens=sum(unit.tokens for unit in units),
            truncated=len(overflowing(units)),
            reused=0,
        )


def _own_settings(lm: Any) -> dict[str, str]:
    """Arguments of the model by which prompts become other tokens, or answers other texts, than the checkpoint says."""
    told = {
        "tokenizer": None if lm.tokenizer.name_or_path == lm.pretrained else lm.tokenizer.name_or_path,
        "max_length": None if lm.max_length == lm.checkpoint.max_length else lm.max_length,
        "prefix_token_id": lm.custom_prefix_token_id,
        "add_bos_token": lm.add_bos_token,
        "think_end_token": lm.think_end_token,
        "chat_template_args": lm.chat_template_args or None,
    }
    return {name: str(value) for name, value in told.items() if value is not None}


def _check_finite(name: str, documents: Iterable[Document]) -> None:
    """Raise ScoresNotFinite where an answer is NaN or infinite: lm-eval would choose between such numbers without a word."""
    answers = [(document.doc_id, answer) for document in documents for i in document.instances for answer in i.resps]
    bad = [place for place, answer in answers if not all(map(math.isfinite, _numbers(answer)))]
    if bad:
        raise ScoresNotFinite(
            f"The model's log-probabilities are NaN or infinite in {len(bad):,} of {len(answers):,} answers, first in task "
            f"{name}, document {bad[0]}: there is no score, whatever lm-eval prints."
        )


def _numbers(answer: Any) -> list[float]:
    parts = answer if isinstance(answer, tuple | list) else [answer]
    return [part for part in parts if isinstance(part, float)]


def _as_printed(name: str, scores: Iterable[MetricScore], theirs: Mapping[str, Any]) -> list[MetricScore]:
    """The scores with lm-eval's own numbers for values; TaskFailed where one of them is not that of the same answers."""
    return [_with_value(name, score, theirs.get(f"{score.metric},{score.filter}")) for score in scores]


def _with_value(name: str, score: MetricScore, printed: Any) -> MetricScore:
    if score.metric == NO_NUMBER:
        return score
    value = float(printed) if isinstance(printed, int | float) else math.nan
    if not math.isfinite(value):
        return score.model_copy(update={"value": None, "statistics": None})
    if score.value is None or not math.isclose(value, score.value, rel_tol=SAME, abs_tol=SAME):
        raise TaskFailed(
            f"{name}: lm-eval's {score.metric} is {value!r}, and judging the same answers once more gives {score.value!r}: "
            "its own code judges by chance, or keeps something from one time to the next.",
            "lm-eval's result file has its number; no other was recorded.",
        )
    return score.model_copy(update={"value": value})


def _template_sha(lm: Any, facts: RunFacts) -> str | None:
    """sha256 of the chat template that the prompts went through, as lm-eval's `chat_template_sha`."""
    if not facts.apply_chat_template:
        return None
    return hashlib.sha256((lm.chat_template(facts.apply_chat_template) or "").encode()).hexdigest()


def _write(folder: Path, run_id: str, made: Sequence[tuple[Record, list[dict[str, Any]]]]) -> None:
    try:
        write_run(folder, run_id, made)
    except OSError as error:
        raise NotWritable(
            f"The records could not be written to {folder} ({error.strerror or error}); none is there.",
            "Free some space, or give another folder.",
        ) from error
