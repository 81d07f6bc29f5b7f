"""Child over parent at one latency limit: each at the largest rate that keeps it, by enough steps to say so."""

from __future__ import annotations

from typing import Any

import pytest
from support.speed_rows import SpeedStore, figure, point

from reports.speed.latency import at_equal_latency
from reports.speed.section import SpeedRows

PARENTS = {"child": "parent", "parent": None}


def timed(model: str, batch: int, rate: float, p99: float | None, **changes: Any) -> tuple[list[Any], list[Any]]:
    run = f"{model}-{batch}"
    figures = [figure("output_rate", rate, run_id=run), figure("itl", p99, statistic="p99", run_id=run)]
    return [point(model=model, run_id=run, batch=batch, **changes)], figures


def lines(*sides: tuple[list[Any], list[Any]], rates: Any = ()):
    rows = SpeedRows(points=[p for side in sides for p in side[0]], figures=[f for side in sides for f in side[1]])
    return at_equal_latency(rows, PARENTS, SpeedStore(rows, rates=rates))


def test_each_side_is_at_its_own_best_batch_within_the_limit():
    found = lines(
        timed("child", 1, 100.0, 0.01), timed("child", 8, 700.0, 0.025), timed("child", 32, 2000.0, 0.09),
        timed("parent", 1, 50.0, 0.02), timed("parent", 8, 300.0, 0.05), timed("parent", 32, 900.0, 0.11),
    )  # fmt: skip
    assert [(line.limit, line.ours.batch, line.theirs.batch, line.ratio) for line in found] == [
        (0.03, 8, 1, pytest.approx(14)),
        (0.1, 32, 8, pytest.approx(2000 / 300)),
    ]
    assert {(line.lower, line.upper) for line in found} == {(None, None)}


def test_trials_of_both_give_an_interval():
    rates = [
        {"run_id": run, "task": "chat.512x128.b8", "value": value + step}
        for run, value in (("child-8", 700.0), ("parent-8", 350.0))
        for step in range(9)
    ]
    found = lines(timed("child", 8, 704.0, 0.09), timed("parent", 8, 354.0, 0.09), rates=rates)[0]
    assert found.ratio == pytest.approx(704 / 354)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= found.ratio <= found.upper


@pytest.mark.parametrize(
    "theirs",
    [
        timed("parent", 8, 300.0, 0.2),
        timed("parent", 8, 300.0, None),
        timed("parent", 8, 300.0, float("nan")),
        timed("parent", 8, 300.0, 0.05, valid=False),
        timed("parent", 8, 300.0, 0.05, status="failed"),
        timed("parent", 8, 300.0, 0.05, dtype="float16"),
        timed("parent", 8, 300.0, 0.05, input_tokens=128),
        timed("parent", 8, 300.0, 0.05, source="imported"),
        timed("stranger", 8, 300.0, 0.05),
    ],
    ids=["too slow", "too few steps", "no number", "invalid", "failed", "dtype", "lengths", "source", "no parent"],
)
def test_what_was_not_run_alike_or_within_the_limit_gives_no_ratio(theirs):
    assert lines(timed("child", 8, 700.0, 0.09), theirs) == ()
