"""Which evaluations a results folder has whole already, so that a checkpoint is evaluated once over all nights."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.fleet.plan.schema import CPU
from harness.records.record import Record
from harness.store.query import Reader
from harness.suites.suite import Suite
from zoo.arch.gpus import load_gpus
from zoo.errors import MinizooError

SQL = """
SELECT run_id, task, suite, backend, gpu, device, "limit", weights_digest, subject, kind, dtype
FROM records WHERE source = 'measured' AND status IN ('ok', 'unverified')
  AND (run_id, task) NOT IN (SELECT run_id, task FROM speed_points)"""


@dataclass(frozen=True)
class Way:
    """How an evaluation is made, as far as another one must be made likewise to stand for it."""

    suite: Suite
    backend: str
    accelerator: str
    limit: int | None


@dataclass(frozen=True)
class Evaluated:
    """What a results folder has."""

    results: Path

    def has(self, way: Way, digest: str | None, subject: str) -> bool:
        """Whether one run has every task of the suite, by these weights; by the model's id where its digest is not known."""
        tasks = {entry.task for entry in way.suite.tasks}
        done: dict[str, set[str]] = {}
        for row in self._rows:
            same = row["weights_digest"] == digest if digest else (row["subject"], row["kind"]) == (subject, "registry")
            same = same or (digest is None and (row["subject"], row["kind"]) == (subject, "hub"))
            asked = (row["suite"], row["backend"], row["limit"]) == (way.suite.name, way.backend, way.limit)
            if same and asked and ran_on(row["gpu"], row["device"], way.accelerator):
                done.setdefault(row["run_id"], set()).add(row["task"])
        return any(tasks <= found for found in done.values())

    @cached_property
    def _rows(self) -> Collection[dict[str, Any]]:
        if not (self.results / "runs").is_dir():
            return []
        try:
            return Reader(self.results).rows(SQL)
        except MinizooError:  # a database that cannot be read keeps nobody from measuring anew
            return []


def ran_on(gpu: str | None, device: str | None, accelerator: str) -> bool:
    """Whether a record's GPU and device are what the plan calls so."""
    if accelerator == CPU:
        return gpu is None and (device or "").startswith("cpu")
    return gpu is not None and gpu.strip().removeprefix("NVIDIA ").strip() in load_gpus()[accelerator].names


def of_way(record: Record, suite: str, backend: str, accelerator: str) -> bool:
    """Whether a record was measured on that suite, by that backend, on that kind of machine."""
    setting = record.setting
    return (record.suite, setting.backend) == (suite, backend) and ran_on(setting.gpu, setting.device, accelerator)
