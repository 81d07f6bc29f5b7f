"""Identical code, run again and again with other digits: one evaluation prepared once, a side a re-run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from backends.contract import Backend
from backends.opening import open_backend
from harness.accuracy.prepare import EvalRequest, Evaluation, prepare
from harness.accuracy.run import evaluate
from harness.compare.items import ScoreKey, Side, TaskResult
from harness.compare.sides.samples import results_of
from harness.gates.noise.variations import OTHER_DTYPE, Variation, variations
from harness.records.files import folder_name, run_folder
from harness.records.record import Record
from zoo.checkpoint.locate import Checkpoint, locate
from zoo.errors import TaskFailed

Told = Callable[[str], None]


@dataclass(frozen=True)
class Rerun:
    """One run: how, what it left, and how long it took."""

    how: str
    side: Side
    seconds: float


@dataclass(frozen=True)
class Reruns:
    """The first run, as the request says, and those after it."""

    evaluation: Evaluation
    device: str
    versions: dict[str, str]
    first: Rerun
    others: tuple[Rerun, ...]


@dataclass(frozen=True)
class Ways:
    """How re-runs vary."""

    threads: tuple[int, ...] = ()
    """Else 1 and as many as there are."""
    dtypes: tuple[str, ...] = ()
    """Else the model's own and another."""
    plain: int = 0
    """Re-runs by the engine's plain form, which generate nothing: it is slow."""
    generate_every: int = 1
    """Tasks that generate text are in every re-run, or in every n-th."""


def rerun(request: EvalRequest, runs: int, told: Told, ways: Ways | None = None) -> Reruns:
    """Evaluate the request once as it is and `runs` times otherwise. Nothing is written where records are kept.

    Prompts are made once; a model is opened once for each dtype and number of tokens a row. Raises what an evaluation raises.
    """
    ways = ways or Ways()
    evaluation = prepare(request, told)
    checkpoint = locate(evaluation.outline, None)
    with tempfile.TemporaryDirectory(prefix="minizoo-noise-") as folder, _own_threads():
        results = Path(folder)
        backend = open_backend(checkpoint, evaluation.backend, request.options)
        own, device, versions = backend.dtype, backend.device, dict(backend.versions)
        try:
            first = _run(evaluation, checkpoint, backend, results / "first", f"{own}, as it is run")
        finally:
            backend.close()
        told(f"{first.how}: {first.seconds:.1f} s")
        dtypes = ways.dtypes or (own, OTHER_DTYPE.get(own, "float32"))
        planned = variations(runs, dtypes, ways.threads or _thread_counts(), plain=ways.plain)
        others: list[Rerun] = []
        for other in _each(evaluation, checkpoint, planned, results, ways.generate_every):
            others.append(other)
            told(f"{len(others)} of {runs}: {other.how}: {other.seconds:.1f} s")
    return Reruns(evaluation, device, versions, first, tuple(others))


def _each(
    evaluation: Evaluation, checkpoint: Checkpoint, planned: Iterable[Variation], results: Path, generate_every: int
) -> Iterator[Rerun]:
    """The variations in turn, those of one dtype, budget and form by one backend."""
    import torch

    number = 0
    for (dtype, budget, plain), alike in groupby(planned, key=lambda one: (one.dtype, one.budget, one.plain)):
        options = replace(evaluation.request.options, dtype=dtype, token_budget=budget, eager=plain)
        varied = replace(evaluation, request=replace(evaluation.request, options=options))
        backend = open_backend(checkpoint, evaluation.backend, options)
        try:
            for variation in alike:
                torch.set_num_threads(variation.threads)
                number += 1
                asked = varied if number % generate_every == 0 and not plain else _scoring_only(varied)
                yield _run(asked, checkpoint, backend, results / str(number), str(variation))
        finally:
            backend.close()


def _scoring_only(evaluation: Evaluation) -> Evaluation:
    """Without the tasks that generate text, unless all do."""
    plans = [plan for plan in evaluation.plans if plan.loaded.task.OUTPUT_TYPE != "generate_until"]
    return replace(evaluation, plans=plans or evaluation.plans)


def _run(evaluation: Evaluation, checkpoint: Checkpoint, backend: Backend, results: Path, how: str) -> Rerun:
    began = time.perf_counter()
    records = evaluate(evaluation, checkpoint, backend, results, fresh=True).records
    return Rerun(how, side_of(records, results, checkpoint.name, how), time.perf_counter() - began)


def side_of(records: Sequence[Record], results: Path, name: str, where: str) -> Side:
    """A run's records as a side, its documents read from their files."""
    found: dict[ScoreKey, TaskResult] = {}
    for record in records:
        if record.status == "ok":
            folder = run_folder(results, record.run_id) / folder_name(record.task)
            made, problem = results_of(record, folder / "samples.parquet")
            if problem:
                raise TaskFailed(
                    f"The samples of {record.task} cannot be read: {problem}.", "Nothing can be calibrated by it."
                )
            found |= made
    failed = {record.task: record for record in records if record.status != "ok"}
    runs = tuple(dict.fromkeys(record.run_id for record in records))
    return Side(word=name, kind="run", name=name, results=found, failed=failed, run_ids=runs, where=where)


def _thread_counts() -> tuple[int, ...]:
    import torch

    return tuple(sorted({1, torch.get_num_threads()}))


@contextmanager
def _own_threads() -> Generator[None]:
    """Inside, torch's number of threads may be changed; afterwards it is what it was."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
