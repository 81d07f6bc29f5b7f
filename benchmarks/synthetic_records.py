"""Invented results in the form of real records, as many as asked, the same for the same seed.

    python benchmarks/synthetic_records.py --out DIR                        # 10,000 runs with 500,000 samples
    python benchmarks/synthetic_records.py --out DIR --runs 200 --samples 10000 --models 24 --tasks 12

Models come in families, four runs of five measure up to six tasks, the fifth measures speed. Among them are failures, parts
of tasks, imported and contributed runs, groups, and models whose names must stay text. Samples go to the newest runs, all
documents of a task, until they are used up; older runs have their scores alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.synthetic.answers import Answered, Task, answered, group_score, samples, tasks  # noqa: E402
from benchmarks.synthetic.models import Model, models  # noqa: E402
from benchmarks.synthetic.speeds import BATCHES, WORKLOAD, Other, gpus, point, step_s  # noqa: E402
from harness.records.files import folder_name, run_folder  # noqa: E402
from harness.records.record import Contribution, Counts, Imported, Record, Setting, Work  # noqa: E402
from zoo.arch.gpus import Gpu  # noqa: E402

NEWEST = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
APART = timedelta(minutes=12)
TASKS_A_RUN = 6
EVERY = 5
"""Every fifth run measures speed."""
FAILED, PART, IMPORTED, CONTRIBUTED = 0.05, 0.10, 0.15, 0.18
"""Shares of accuracy runs, added up: with a task that failed, of a part, of another tool, given by others."""


@dataclass
class Written:
    """What was written."""

    runs: int = 0
    records: int = 0
    samples: int = 0


@dataclass
class Plan:
    """Which run measures what: everything follows from its number and the seed."""

    runs: int
    models: list[Model]
    tasks: list[Task]
    gpus: list[Gpu]
    documents: int
    seed: int

    def run_id(self, number: int) -> str:
        """A UUID version 7 of the run's start."""
        chance = np.random.default_rng([self.seed, 7, number]).integers(0, 2**32, 2)
        value = (int(self.started(number).timestamp() * 1000) << 80) | (0x7 << 76) | (0b10 << 62)
        text = f"{value | int(chance[0]) << 20 | int(chance[1]) & 0xFFFFF:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def started(self, number: int) -> datetime:
        """When a run began; the last one is the newest, whatever their number."""
        return NEWEST - (self.runs - number) * APART

    @cached_property
    def parts(self) -> list[list[Task]]:
        """The tasks of a run, of one suite each."""
        found: list[list[Task]] = []
        for suite in dict.fromkeys(task.suite for task in self.tasks):
            own = [task for task in self.tasks if task.suite == suite]
            found += [own[start : start + TASKS_A_RUN] for start in range(0, len(own), TASKS_A_RUN)]
        return found


@dataclass
class AccuracyRun:
    """A run that measures up to six tasks of a model."""

    plan: Plan
    number: int
    run_id: str = field(init=False)

    def __post_init__(self) -> None:
        turn = self.number - self.number // EVERY
        count, parts = len(self.plan.models), self.plan.parts
        self.run_id = self.plan.run_id(self.number)
        self.who, turn = turn % count, turn // count
        self.tasks, turn = parts[turn % len(parts)], turn // len(parts)
        self.gpu, self.night = self.plan.gpus[turn % len(self.plan.gpus)], turn // len(self.plan.gpus)
        self.model = self.plan.models[self.who]
        fates = np.random.default_rng([self.plan.seed, 5, self.number]).random(2)
        self.fate, self.failing = float(fates[0]), int(fates[1] * len(self.tasks))

    def records(self) -> Iterator[tuple[Record, Answered | None]]:
        """Each record with its answers; None where it has no samples."""
        for place, task in enumerate(self.tasks):
            if self.fate < FAILED and place == self.failing:
                yield self._failed(task), None
            elif task.members:
                leaves = [Task(name, task.suite, task.metric, task.filter, task.shots) for name in task.members]
                parts = [self._answered(leaf) for leaf in leaves]
                yield from ((self._measured(part.task, [part.score()], [part]), part) for part in parts)
                yield self._measured(task, [group_score(task, parts)], parts), None
            else:
                answers = self._answered(task)
                yield self._measured(task, [answers.score()], [answers]), answers

    def _answered(self, task: Task) -> Answered:
        limit = max(2, self.plan.documents // 4) if FAILED <= self.fate < PART else None
        return answered(
            self.plan.seed, self.who, self.model.ability, task, self.plan.documents, limit, self.night
        )  # fmt: skip

    def _measured(self, task: Task, scores: list[Any], parts: Sequence[Answered]) -> Record:
        count, total = sum(len(part.values) for part in parts), sum(part.total for part in parts)
        counts = Counts(
            documents=count, documents_total=total, requests=2 * count, tokens=180 * count, reused=0,
            truncated=3 if self.number % 11 == 0 else 0,
        )  # fmt: skip
        work = Work(asked_tokens=180 * count, computed_tokens=90 * count, scoring_s=0.01 * count)
        if self.model.hostile and task.metric == "acc":
            scores = [scores[0].model_copy(update={"value": float("nan"), "statistics": None})]
            return self._record(task, counts=counts, scores=scores, reason="acc has no finite value")
        return self._record(task, counts=counts, scores=scores, work=work)

    def _failed(self, task: Task) -> Record:
        said = "out of memory: tried to allocate 20.00 GiB"
        if self.model.hostile:
            said = "RuntimeError: </script><img src=x onerror=alert(1)> " + "y" * 500
        return self._record(task, status="failed", code="device-memory", reason=said)

    def _record(self, task: Task, **fields: Any) -> Record:
        started = self.plan.started(self.number)
        part = FAILED <= self.fate < PART
        return Record.model_validate(
            {
                "run_id": self.run_id, "task": task.name, "status": "ok", "suite": task.suite, "task_version": "1.0",
                "resolved_suite": {"name": task.suite, "tasks": [{"task": t.name, "shots": t.shots} for t in self.tasks]},
                "task_digest": f"digest of {task.name}", "shots": task.shots, "members": task.members,
                "limit": max(2, self.plan.documents // 4) if part else None, "overflow": "refuse",
                "started_at": started, "finished_at": started + APART / 2, "run_started_at": started, "wall_s": 60.0,
                "subject": self.model.subject, "setting": self._setting(task), "counts": None, "context": 4096,
                **self._origin(), **fields,
            }
        )  # fmt: skip

    def _setting(self, task: Task) -> Setting:
        command = f"minizoo eval --model {self.model.subject.name or self.model.subject.id} --suite {task.suite}"
        return _setting(None if task.suite == "nano" else self.gpu, command, self.plan)

    def _origin(self) -> dict[str, Any]:
        if PART <= self.fate < IMPORTED:
            imported = Imported(
                tool="lm-eval", tool_version="0.4.13", file="results_2026-11-01.json", sha256="0" * 64, time="stated"
            )
            return {"source": "imported", "imported": imported}
        if IMPORTED <= self.fate < CONTRIBUTED:
            return {"source": "contributed", "contribution": Contribution(by="a lab", file="rows.zip", sha256="1" * 64)}
        return {}


def write(
    results: Path,
    runs: int = 10_000,
    samples: int = 500_000,
    models: int = 60,
    tasks: int = 18,
    hardware: int = 8,
    seed: int = 0,
) -> Written:
    """Write that many runs into a results folder, with about that many samples (whole tasks until there are as many)."""
    plan = plan_of(runs, samples, models, tasks, hardware, seed)
    written = Written()
    for number in reversed(range(runs)):
        write_run(results, plan, number, samples, written)
    return written


def plan_of(runs: int, samples: int, models: int, tasks: int, hardware: int, seed: int) -> Plan:
    """The runs of those numbers."""
    documents = min(500, max(20, samples // (2 * models * tasks)))
    return Plan(runs, _models(models), _tasks(tasks), gpus(hardware), documents, seed)


def write_run(results: Path, plan: Plan, number: int, wanted: int, written: Written) -> None:
    """Write one run, and its samples while fewer than `wanted` are written."""
    written.runs += 1
    if number % EVERY == EVERY - 1:
        for record, trials in _speed_records(plan, number):
            _write(results, record, "trials", trials)
            written.records += 1
        return
    run = AccuracyRun(plan, number)
    for record, answers in run.records():
        kept = answers if written.samples < wanted else None
        _write(results, record, "samples", None if kept is None else samples(kept, run.model.hostile))
        written.records += 1
        written.samples += 0 if kept is None else len(kept.values)


_models, _tasks = models, tasks


def _speed_records(plan: Plan, number: int) -> Iterator[tuple[Record, Any]]:
    """A point a batch; a child's beside its parent's of the same round."""
    turn, count = number // EVERY, len(plan.models)
    who, gpu = turn % count, plan.gpus[turn // count % len(plan.gpus)]
    model, noise = plan.models[who], np.random.default_rng([plan.seed, 6, number])
    started = plan.started(number)
    for batch in BATCHES:
        other = None
        if model.parent is not None:
            before, parent = number - (who - model.parent) * EVERY, plan.models[model.parent]
            other = Other(parent.subject.id, plan.run_id(before), step_s(parent, gpu, batch))
        made = point(model, gpu, batch, other, float(noise.random()), noise)
        reason = made.facts.validity.reasons[0] if made.trials is None else None
        command = f"minizoo bench --model {model.subject.name or model.subject.id} --workload {WORKLOAD}"
        yield (
            Record.model_validate(
                {
                    "run_id": plan.run_id(number), "task": f"{WORKLOAD}.{made.facts.point}", "suite": WORKLOAD,
                    "status": "failed" if reason else "ok", "reason": reason.text if reason else None,
                    "code": reason.code if reason else None, "resolved_suite": {"name": WORKLOAD}, "task_version": "1",
                    "task_digest": "digest of a workload", "shots": None, "limit": None, "overflow": "refuse",
                    "started_at": started, "finished_at": started + APART / 2, "subject": model.subject, "counts": None,
                    "setting": _setting(gpu, command, plan), "speed": made.facts,
                }
            ),
            made.trials,
        )  # fmt: skip


def _setting(gpu: Gpu | None, command: str, plan: Plan) -> Setting:
    """Of a GPU, or of the processor: backends and dtypes differ between GPUs."""
    place = plan.gpus.index(gpu) if gpu else 0
    return Setting(
        backend="vllm" if place % 4 == 3 else "hf", device="cuda:0" if gpu else "cpu",
        dtype="float16" if place % 4 == 2 else "bfloat16" if gpu else "float32", gpu=f"NVIDIA {gpu.names[0]}" if gpu else None,
        driver="580.65.06" if gpu else None, host="invented", platform="Linux x86_64, Python 3.12", git_sha="0" * 40,
        versions={"minizoo": "0.3.0", "torch": "2.13.0", "lm-eval": "0.4.13"}, seed=1234, command=command,
        processor="Invented processor, 2 threads",
    )  # fmt: skip


def _write(results: Path, record: Record, name: str, table: Any) -> None:
    """As `harness.records.files.write_record`, without waiting for the disk: an invented record can be made again."""
    import pyarrow.parquet as pq

    folder = run_folder(results, record.run_id) / folder_name(record.task)
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(record.model_dump_json(indent=1) + "\n", "utf-8")
    if table is not None:
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")


def main() -> None:
    """Write them, and say how many and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a results folder; its invented runs are replaced")
    for name, value in {
        "runs": 10_000,
        "samples": 500_000,
        "models": 60,
        "tasks": 18,
        "hardware": 8,
        "seed": 0,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = vars(parser.parse_args())
    out = asked.pop("out")
    shutil.rmtree(out / "runs", ignore_errors=True)
    began = time.perf_counter()
    written = write(out, **asked)
    print(f"{written} in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
