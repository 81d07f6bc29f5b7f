"""The sides of a site: the results that `minizoo compare` takes, read without the records that newer ones stand before."""

from datetime import UTC, datetime, timedelta

import pytest
from support.compared import keep
from support.compared_site import CHILD, PARENT, answers, columns, counts, make, site

from harness.compare.sides.run_side import model_side, shown_side
from harness.store.query import Reader
from reports.compare.sides import Sides
from zoo.errors import NotComparable, NothingRecorded, UnknownModel

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def history(results):
    """Forty runs of a task in time: of parts, failures, numbers that are none, and whole ones; and a group run twice."""
    for day in range(40):
        at = {"started_at": DAY + timedelta(days=day), "finished_at": DAY + timedelta(days=day, hours=1)}
        sort = day % 4
        if sort == 0:
            keep(
                results,
                PARENT,
                [],
                f"task_{day % 3}",
                scores=(),
                status="failed",
                reason="it broke",
                code="broken",
                **at,
            )
        elif sort == 1:
            part = {"limit": 9, "counts": counts(9, 30), "score": {"total": 30}}
            keep(results, PARENT, answers(day, 9, 0.5), f"task_{day % 3}", columns=columns(9), **part, **at)
        elif sort == 2 and day < 20:
            keep(results, PARENT, answers(day, 30, 0.5), f"task_{day % 3}", columns=columns(30), **at)
        else:
            keep(results, PARENT, [1.0], f"task_{day % 3}", score={"value": float("nan")}, **at)


@pytest.mark.parametrize("made", [history, make])
def test_a_models_side_is_the_one_that_minizoo_compare_takes(tmp_path, made):
    made(tmp_path)
    reader = Reader(tmp_path)
    ours, theirs = shown_side(PARENT, tmp_path, reader), model_side(PARENT, tmp_path)
    runs = [{key: result.record.run_id for key, result in side.results.items()} for side in (ours, theirs)]
    assert runs[0] == runs[1]
    assert runs[0]
    assert {task: record.run_id for task, record in ours.failed.items()} == {
        task: record.run_id for task, record in theirs.failed.items()
    }
    assert (ours.name, set(ours.run_ids)) == (theirs.name, set(theirs.run_ids))


def sides_of(results, took=lambda _word, _side: None):
    given = site(results)
    return Sides(results, given.reader, given.registry, ["second", "first"], took)


def test_tasks_stand_in_the_boards_order_and_each_side_is_told_of(tmp_path):
    for task in ("first", "other", "second"):
        keep(tmp_path, PARENT, answers(1, 20, 0.5), task, columns=columns(20))
    told = []
    sides = sides_of(tmp_path, lambda word, side: told.append((word, side.name)))
    assert [key.task for key in sides.of(PARENT).results] == ["second", "first", "other"]
    assert sides.of(PARENT) is sides.of(PARENT)
    assert told == [(PARENT, PARENT)]


def test_a_word_that_is_no_side_says_why(tmp_path):
    kept = [keep(tmp_path, PARENT, answers(at, 20, 0.5), columns=columns(20)) for at in (1, 2)]
    sides = sides_of(tmp_path)
    assert sides.of(kept[0].run_id).run_ids == (kept[0].run_id,)
    with pytest.raises(NotComparable, match="is the beginning of 2 runs"):
        sides.of(kept[0].run_id[:8])
    with pytest.raises(NothingRecorded, match="There is no result of nano-width-pruned"):
        sides.of(CHILD)
    with pytest.raises(UnknownModel, match="nano-teacher"):
        sides.of("nano-teachr")
