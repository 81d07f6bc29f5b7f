"""Nights through the gate itself: sides of real sizes in memory, documents paired, the shipped nightly policy, its verdicts.

One model on one GPU a night, nine tasks. Each night has new margins and a new baseline, so nights are independent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.nights import plan
from benchmarks.nights.items import Documents, Loss, shift_of
from benchmarks.nights.plan import CLUSTERED, OVERLAP_SCALE, TASKS, TEXTS_CHANGED, Task
from benchmarks.nights.shares import share
from harness.compare.items import Items, ScoreKey, Side, TaskResult
from harness.gates.gate import gate_pairs
from harness.gates.loading import load_policy
from harness.records.files import new_run_id
from harness.records.record import MetricScore, Record, Setting, Subject

DISCORDANCE = plan.BAR_DISCORDANCE
KINDS = {"none": 1.0, "mmlu": 0.4, "hellaswag": 0.4, "all": 0.2}
"""Where a loss of one point is planted (nowhere, in one task, in every task) → its part of the nights."""
METRICS = {
    "hellaswag": "acc_norm", "arc_challenge": "acc_norm", "gsm8k": "exact_match", "xlsum_en": "rougeL", "mbpp_0shot": "pass@1",
    "humaneval": "pass@1",
}  # fmt: skip
WHEN = datetime(2026, 11, 30, tzinfo=UTC)


def gated_nights(nights: int, seed: int, processes: int | None) -> list[dict[str, Any]]:
    """A row a kind: verdicts and exit codes of `nights` nights; of each kind of planted loss a part of as many."""
    many = {kind: max(1, round(nights * part)) for kind, part in KINDS.items()}
    work = [(kind, night) for kind in KINDS for night in range(many[kind])]
    with ProcessPoolExecutor(processes) as pool:
        found = list(pool.map(partial(_gated, seed), *zip(*work, strict=True), chunksize=10))
    return [_row(kind, [one for (of, _), one in zip(work, found, strict=True) if of == kind]) for kind in KINDS]


def _row(kind: str, found: list[dict[str, str]]) -> dict[str, Any]:
    alarmed = sum("REGRESSED" in night.values() for night in found)
    codes = Counter(night["exit"] for night in found)
    return {
        "loss_in": kind, "nights": len(found), "documents": plan.DOCUMENTS, "discordance": DISCORDANCE,
        "regressed": share(alarmed, len(found)),
        "by": {test: sum(test in night["by"].split() for night in found) for test in ("accuracy", "gold", "release")},
        "exit_codes": {code: codes[code] for code in sorted(codes)},
        "by_task": {
            task.name: dict(sorted(Counter(night[task.name] for night in found).items())) for task in TASKS
        },
    }  # fmt: skip


def _gated(seed: int, kind: str, night: int) -> dict[str, str]:
    """The verdict of each task, `exit` the code, and `by` the tests that alarmed."""
    dice = np.random.default_rng((seed, 9, list(KINDS).index(kind), night))
    heavy = bool(dice.random() < plan.HEAVY_SHARE)
    before, after = {}, {}
    for task in TASKS:
        loss = plan.LOSS if kind in (task.name, "all") else 0.0
        before[task.name], after[task.name] = _both(dice, task, heavy, loss)
    outcome = gate_pairs(
        load_policy("nightly"), [(_side("baseline", before), _side("tonight", after))], today=WHEN.date()
    )
    told = {verdict.task: str(verdict.status) for verdict in outcome.verdicts}
    by = {test for verdict in outcome.verdicts for test in verdict.alarms}
    return {
        **{task.name: told[task.name] for task in TASKS},
        "exit": str(outcome.exit_code),
        "by": " ".join(sorted(by)),
    }


def _both(dice: np.random.Generator, task: Task, heavy: bool, loss: float) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Values and gold log-probabilities of both runs."""
    if task.kind == "text":
        usual = min(1.0, TEXTS_CHANGED * DISCORDANCE) / 2
        overlap = dice.beta(3, 7, task.documents)
        nothing = np.full(task.documents, np.nan)
        moved = [
            _moved(dice, task.documents, chance) for chance in (usual, usual * (plan.HEAVY_SCALE if heavy else 1.0))
        ]
        return (overlap + moved[0], nothing), (overlap + moved[1] - loss, nothing)
    documents = Documents.drawn(dice, DISCORDANCE, task.documents)
    reference = documents.shaken(dice, 1)[0]
    tonight = documents.shaken(dice, 1, np.array([heavy]))
    if loss and task.binary:
        Loss(shift_of(DISCORDANCE, loss)).applied(dice, tonight)
    return tuple(
        _values(task, documents.margin + moved, taken) for moved, taken in ((reference, 0.0), (tonight[0], loss))
    )  # pyright: ignore[reportReturnType]


def _moved(dice: np.random.Generator, n: int, chance: float) -> Any:
    drawn = dice.laplace(0.0, OVERLAP_SCALE, n)
    return (dice.random(n) < chance) * drawn


def _values(task: Task, margin: Any, taken: float) -> tuple[Any, Any]:
    nothing = np.full(task.documents, np.nan)
    if task.kind == "mass":
        return (np.tanh(margin.astype(float) / 2) + 1) / 2 - taken, nothing
    return (margin > 0).astype(float), margin.astype(float) - 5.0 if task.kind == "choice" else nothing


def _side(word: str, found: dict[str, tuple[Any, Any]]) -> Side:
    results: dict[ScoreKey, TaskResult] = {}
    for task in TASKS:
        result = _result(task, *found[task.name])
        results[result.key] = result
    return Side(word=word, kind="run", name="simulated", results=results, where=word)


def _result(task: Task, values: Any, gold: Any) -> TaskResult:
    key = ScoreKey(task.name, METRICS.get(task.name, "acc"), "none")
    score = MetricScore(
        metric=key.metric, filter=key.filter, value=float(values.mean()), n=task.documents, higher_is_better=True, chance=None
    )  # fmt: skip
    columns = _columns(task)
    return TaskResult(key, _record(task.name), score, Items(value=values, gold_logprob=gold, **columns))


@cache
def _columns(task: Task) -> dict[str, Any]:
    """What documents are known by: the same in every night."""
    n = task.documents
    names = np.array([f"{task.name}-{number}" for number in range(n)], dtype=object)
    nobody = np.full(n, None, dtype=object)
    return {
        "doc_id": np.arange(n), "doc_hash": names, "occurrence": np.zeros(n, dtype=np.int64), "request_hash": names,
        "weight": np.full(n, np.nan), "gold": np.zeros(n, dtype=np.int64), "length": np.full(n, 100),
        "cluster": np.array(list(_sources(n)), dtype=object) if task.name == CLUSTERED else nobody,
    }  # fmt: skip


def _sources(n: int) -> Iterator[str]:
    from benchmarks.nights.items import source_starts

    starts = source_starts(n)
    for source, size in enumerate(np.diff([*starts, n])):
        yield from [f"source-{source}"] * int(size)


@cache
def _record(task: str) -> Record:
    return Record(
        run_id=new_run_id(), task=task, status="ok", suite="paper", resolved_suite={}, task_version="1", task_digest="",
        shots=None, limit=None, overflow="refuse", started_at=WHEN, finished_at=WHEN,
        subject=Subject(id="simulated", source="none", revision=None, weights_digest="", tokenizer_digest="", entry=None),
        setting=Setting(
            backend="none", device="none", dtype="none", gpu=None, driver=None, host="none", platform="none", versions={},
            git_sha=None, seed=0, command="",
        ),
        counts=None,
    )  # fmt: skip
