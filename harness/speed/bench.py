"""A speed run: a model on every point of a workload, one record a point, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from backends.checkpoint import Checkpoint, locate
from backends.contract import Backend, Options, StreamingBackend
from backends.opening import check_backend, open_backend
from backends.scoring import OutOfMemory
from harness.durable import check_writable
from harness.provenance import setting_of
from harness.recorder import one_line, subject_of
from harness.records import Record, Setting, Status, Subject, new_run_id, write_record
from harness.speed.clock import Clock
from harness.speed.facts import SpeedFacts, Validity
from harness.speed.measure import Bench, Outcome, measure
from harness.speed.os_probe import available_bytes, resident_bytes
from harness.speed.rates import Rates, measure_rates
from harness.speed.roofline import works
from harness.speed.telemetry import SAMPLE_COLUMNS, DeviceLost, open_probe
from harness.speed.trials import trial_schema
from harness.speed.workloads import Point, Workload, points
from zoo.dims import Dense, Hybrid
from zoo.errors import EnvironmentFault, MinizooError, UsageError
from zoo.limits import memory_bytes
from zoo.prune.parent import dims_of


@dataclass(frozen=True)
class BenchRequest:
    """The words of `minizoo bench`."""

    model: str
    workload: Workload
    backend: str = "hf"
    options: Options = field(default_factory=Options)
    weights: Literal["real", "random"] = "real"
    seed: int = 0


class Watcher(Protocol):
    """Is told how a run goes on."""

    def begins(self, point: Point) -> None:
        """This point is next."""
        ...

    def recorded(self, record: Record) -> None:
        """A point has its record."""
        ...


def run(request: BenchRequest, results: Path, watcher: Watcher | None = None) -> list[Record]:
    """Everything that `minizoo bench` does: load the model, measure every point that it can take, record each.

    A point that does not fit into memory is recorded as failed, and ends a sweep of its shape. When the device or the backend
    breaks, the point is recorded as `infra_failed` and EnvironmentFault is raised; finished points keep their records.
    """
    check_writable(results)
    checkpoint = find_checkpoint(request)
    wanted = fitting_points(request.workload, checkpoint)
    with opened(request, checkpoint) as loaded:
        recorder = SpeedRecorder(results, request, loaded.subject, setting_of(loaded.bench.backend, request.seed))
        return list(_measured(loaded.bench, wanted, request.workload, recorder, watcher))


def find_checkpoint(request: BenchRequest) -> Checkpoint:
    """The checkpoint that the request means; for random weights one that is a configuration and nothing else."""
    check_backend(request.backend)
    if request.weights == "random":
        from backends.random_weights import random_checkpoint

        return random_checkpoint(request.model, request.seed)
    return locate(request.model)


def fitting_points(workload: Workload, checkpoint: Checkpoint) -> Iterator[Point]:
    """The points whose requests fit into the context; UsageError where none does."""
    fits = [s for s in workload.shapes if s.input + s.output <= checkpoint.max_length]
    if not fits:
        longest = min(s.input + s.output for s in workload.shapes)
        raise UsageError(
            f"Workload {workload.name} has {longest:,} tokens a request or more, and {checkpoint.name} attends to "
            f"{checkpoint.max_length:,}.",
            "Take a shorter workload: `--workload batch1`, or a YAML file of your own.",
        )
    return points(workload.model_copy(update={"shapes": tuple(fits)}))


@dataclass(frozen=True)
class Loaded:
    """A model in memory and what it is."""

    bench: Bench
    subject: Subject
    checkpoint: Checkpoint

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, *_: object) -> None:
        self.bench.probe.close()
        self.bench.backend.close()


def opened(request: BenchRequest, checkpoint: Checkpoint, clock: Clock | None = None) -> Loaded:
    """Load the checkpoint and its machine's probe; the loading is timed. UsageError for a backend that cannot stream."""
    clock = clock or Clock()
    started = clock.now()
    backend = _open(request, checkpoint)
    load_s = clock.now() - started
    if not isinstance(backend, StreamingBackend) or not backend.capabilities.stream:
        backend.close()
        raise UsageError(
            f"The {backend.name} backend does not tell when each token of {checkpoint.name} was there.",
            "Take one that streams (`hf`, `pruned`), without --exact.",
        )
    dims = dims_of_checkpoint(checkpoint)
    vocabulary = min([backend.tokenizer.vocab_size, *([dims.vocab_size] if dims else [])])
    bench = Bench(
        backend, open_probe(backend.device), dims, vocabulary, request.weights, load_s, request.seed, clock
    )  # fmt: skip
    return Loaded(bench, _subject(request, checkpoint), checkpoint)


def dims_of_checkpoint(checkpoint: Checkpoint) -> Dense | Hybrid | None:
    """The registry's dimensions, else config.json's; None where that is no architecture with a closed form."""
    if checkpoint.model is not None:
        return checkpoint.model.architecture
    try:
        return None if checkpoint.only_pruned else dims_of(checkpoint.config, checkpoint.folder)
    except UsageError:
        return None


@dataclass
class SpeedRecorder:
    """Writes the records of one speed run."""

    results: Path
    request: BenchRequest
    subject: Subject
    setting: Setting
    run_id: str = field(default_factory=new_run_id)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def write(
        self, facts: SpeedFacts, outcome: Outcome | None = None, status: Status = "ok", reason: str | None = None
    ) -> Record:
        """Record a point, with its raw rows where there are any."""
        workload = self.request.workload
        record = Record(
            run_id=self.run_id,
            task=f"{workload.name}.{facts.point}",
            status=status,
            reason=reason,
            suite=workload.name,
            resolved_suite=workload.model_dump(mode="json"),
            task_version="1",
            task_digest=workload.digest(),
            shots=None,
            limit=None,
            overflow="refuse",
            started_at=self.started,
            finished_at=datetime.now(UTC),
            subject=self.subject,
            setting=self.setting,
            counts=None,
            speed=facts,
        )
        try:
            write_record(self.results, record, tables=_tables(outcome) if outcome else None)
        except OSError as error:
            raise EnvironmentFault(
                f"The result could not be written to {self.results} ({error.strerror or error}).",
                "Points recorded before are kept: free some space and run again.",
            ) from error
        self.started = datetime.now(UTC)
        return record

    def failed(self, bench: Bench, point: Point, status: Status, reason: str) -> Record:
        """Record a point that has no figures."""
        facts = SpeedFacts(
            workload=self.request.workload.name,
            point=point.name,
            input_tokens=point.shape.input,
            output_tokens=point.shape.output,
            batch=point.batch,
            rate=point.rate,
            weights=bench.weights,
            validity=Validity(valid=False, reasons=(reason,)),
            load_s=bench.load_s,
            facts=dict(bench.probe.facts()) if status == "failed" else {},
        )
        return self.write(facts, None, status, reason)


def own_rates(bench: Bench, point: Point) -> Rates | None:
    """The machine's own copy bandwidth and matmul rate for this point; None where they have no room beside the model, or
    the engine is not torch's to measure."""
    work = works(bench.dims, point, bench.dtype) if bench.dims is not None and bench.dtype is not None else {}
    if "decode" not in work or "torch" not in bench.backend.versions:
        return None
    try:
        return measure_rates(bench.backend.device, bench.backend.dtype, work["decode"].bytes)
    except RuntimeError:  # out of memory is one too
        return None


def too_large(bench: Bench, point: Point) -> str | None:
    """Why the point cannot fit, by arithmetic: a CPU would swap or kill before it refused. None where it may."""
    if bench.dims is None or bench.dtype is None:
        return None
    shape = point.shape
    needs = memory_bytes(bench.dims, point.batch or 1, shape.input + shape.output, bench.dtype, bench.dtype)
    has = _memory(bench)
    if has is None or needs <= has:
        return None
    return f"out of memory: weights and caches take {needs / 1e9:.2f} GB, {bench.backend.device} has {has / 1e9:.2f} GB"


def _measured(
    bench: Bench, wanted: Iterator[Point], workload: Workload, recorder: SpeedRecorder, watcher: Watcher | None
) -> Iterator[Record]:
    full: set[Any] = set()
    for point in wanted:
        if point.swept and point.shape in full:
            continue
        if watcher:
            watcher.begins(point)
        record = _point(bench, point, workload, recorder)
        if record.status == "failed":
            full.add(point.shape)
        if watcher:
            watcher.recorded(record)
        yield record
    return


def _point(bench: Bench, point: Point, workload: Workload, recorder: SpeedRecorder) -> Record:
    reason = too_large(bench, point)
    if reason:
        return recorder.failed(bench, point, "failed", reason)
    try:
        outcome = measure(bench, point, workload, own_rates(bench, point))
    except OutOfMemory as error:
        return recorder.failed(bench, point, "failed", f"out of memory: {one_line(error)}")
    except MinizooError:
        raise
    except DeviceLost as error:
        recorder.failed(bench, point, "infra_failed", f"device lost: {one_line(error)}")
        raise EnvironmentFault(
            f"The GPU stopped answering at {point.name} ({one_line(error)}).",
            "Points recorded before are kept. `minizoo doctor` and `dmesg` say more.",
        ) from error
    except Exception as error:  # whatever an engine breaks with
        recorder.failed(bench, point, "infra_failed", f"{type(error).__name__}: {one_line(error)}")
        raise EnvironmentFault(
            f"The {bench.backend.name} backend broke on {bench.backend.device} at {point.name} "
            f"({type(error).__name__}: {one_line(error)}).",
            "Points recorded before are kept. `minizoo --debug` shows the traceback.",
        ) from error
    return recorder.write(outcome.facts, outcome)


def _open(request: BenchRequest, checkpoint: Checkpoint) -> Backend:
    if request.weights == "random":
        from backends.random_weights import open_random

        return open_random(checkpoint, request.options, request.seed)
    return open_backend(checkpoint, request.backend, request.options)


def _subject(request: BenchRequest, checkpoint: Checkpoint) -> Subject:
    if request.weights == "real":
        return subject_of(checkpoint)
    return Subject(
        id=checkpoint.name, source="random", revision=None, weights_digest=f"random, seed {request.seed}",
        tokenizer_digest="", entry=checkpoint.model.model_dump(mode="json") if checkpoint.model else None,
    )  # fmt: skip


def _memory(bench: Bench) -> int | None:
    """Bytes that weights and caches may take together."""
    if bench.backend.device.startswith("cuda"):
        total = bench.probe.facts().get("memory_bytes")
        return int(total) if total else None
    free, held = available_bytes(), resident_bytes()
    return None if free is None else free + (held or 0)


def _tables(outcome: Outcome) -> dict[str, Any]:
    import pyarrow as pa

    types = {"DOUBLE": pa.float64(), "BIGINT": pa.int64()}
    watched = pa.schema([(name, types[kind]) for name, kind in SAMPLE_COLUMNS.items()])
    samples = [{name: sample.get(name) for name in SAMPLE_COLUMNS} for sample in outcome.samples]
    return {
        "trials": pa.Table.from_pylist(outcome.rows, schema=trial_schema()),
        "telemetry": pa.Table.from_pylist(samples, schema=watched),
    }
