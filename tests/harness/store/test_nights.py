"""Finished nights in the results database, and the view `series` over them."""

import pytest
from support.nights_told import blocks, job, night, series, written
from support.records import record, samples

from harness.fleet import folders
from harness.records.files import write_record
from harness.records.night import JobOutcome, StepRun
from harness.store import take_in_nights
from harness.store.catch_up import catch_up, rebuild
from harness.store.check import check
from harness.store.query import query

CANARY = "SELECT night, value FROM series WHERE kind = 'ratio' ORDER BY night"


def test_store_looks_where_the_fleet_writes():
    assert take_in_nights.NIGHTS == folders.NIGHTS


def test_ratio_of_each_night_is_the_median_of_its_blocks(tmp_path):
    written(tmp_path, night(0, blocks((100.0, 90.0, 80.0), (50.0, 50.0, 50.0))), job())
    written(tmp_path, night(1, blocks((50.0,), (50.0,))), job())
    rows = query(tmp_path, CANARY)
    assert [(row["night"], row["value"]) for row in rows] == [
        ("night-0000", pytest.approx(1.8)),
        ("night-0001", pytest.approx(1.0)),
    ]
    canary = query(
        tmp_path, "SELECT model, value, torch, driver, engine_version, pin FROM series WHERE kind = 'canary'"
    )
    assert canary[0] | {"value": 0} == {
        "model": "c", "value": 0, "torch": "2.13.0", "driver": "580.1", "engine_version": "5.0", "pin": "pin",
    }  # fmt: skip


def test_nights_are_taken_in_once_and_survive_a_rebuild(tmp_path):
    for outcome in series([100.0, 101.0]):
        written(tmp_path, outcome, job())
    catch_up(tmp_path)
    catch_up(tmp_path)
    counts = "SELECT (SELECT count(*) FROM nights) AS nights, (SELECT count(*) FROM night_canary) AS blocks"
    assert query(tmp_path, counts) == [{"nights": 2, "blocks": 4}]
    rebuild(tmp_path)
    assert query(tmp_path, counts) == [{"nights": 2, "blocks": 4}]


def test_a_night_that_runs_still_is_not_taken_in(tmp_path):
    folder = written(tmp_path, night(0, blocks()), job())
    folder.outcome.unlink()
    assert query(tmp_path, CANARY) == []


@pytest.mark.parametrize("text", ["", "{", '{"id": "other"}', "[]", '"x"', "\x00"])
def test_a_corrupt_outcome_is_listed_and_the_others_are_taken_in(tmp_path, text):
    good, broken = series([100.0, 100.0])
    written(tmp_path, good, job())
    written(tmp_path, broken, job()).outcome.write_text(text)
    assert [row["night"] for row in query(tmp_path, CANARY)] == [good.id]
    assert [problem.partition(":")[0] for problem in check(tmp_path).problems] == [f"nights/{broken.id}/outcome.json"]


def test_a_mended_outcome_is_taken_in_and_no_longer_bad(tmp_path):
    folder = written(tmp_path, (one := night(0, blocks())), job())
    folder.outcome.write_text("{")
    assert check(tmp_path).problems
    folder.outcome.write_text(one.model_dump_json())
    assert check(tmp_path).problems == ()
    assert len(query(tmp_path, CANARY)) == 1


def test_an_outcome_in_another_nights_folder_is_bad(tmp_path):
    folder = written(tmp_path, night(0, blocks()), job())
    folder.outcome.write_text(night(1, blocks()).model_dump_json())
    assert "the folder of another" in check(tmp_path).problems[0]


def test_a_night_without_its_plan_is_taken_in_and_told(tmp_path):
    written(tmp_path, night(0, blocks()), job()).night.write_text("{")
    assert len(query(tmp_path, CANARY)) == 1
    assert check(tmp_path).problems[0].startswith("nights/night-0000/night.json")


def test_a_repetition_takes_the_place_of_what_it_repeats(tmp_path):
    again = blocks((100.0,), (50.0,), job="bench-m-recheck", recheck_of="bench-m")
    written(tmp_path, night(0, blocks((80.0,), (50.0,)), again), job(), job("bench-m-recheck", recheck_of="bench-m"))
    assert [row["value"] for row in query(tmp_path, CANARY)] == [pytest.approx(2.0)]


def test_two_gpus_and_two_pins_have_rows_of_their_own(tmp_path):
    three = (blocks(), blocks(gpu_uuid="GPU-2", job="b"), blocks(canary_pin="other", job="c"))
    written(tmp_path, night(0, *three), job(), job("b"), job("c"))
    found = query(tmp_path, "SELECT gpu_uuid, pin FROM series WHERE kind = 'ratio' ORDER BY ALL")
    assert [tuple(row.values()) for row in found] == [("GPU-1", "other"), ("GPU-1", "pin"), ("GPU-2", "pin")]


def test_accuracy_and_gold_of_a_run_carry_the_night_and_the_place_of_the_checkpoint(tmp_path):
    made = record()
    rows = [row | {"gold_logprob": -1.0 * (i + 1)} for i, row in enumerate(samples())]
    write_record(tmp_path, made, [*rows, *(row | {"metric": "acc_norm"} for row in rows)])
    alone = record()
    write_record(tmp_path, alone, samples())
    told = JobOutcome(job="e", status="done", runs=(StepRun(role="candidate", block=0, run_id=made.run_id),))
    written(tmp_path, night(0, jobs=(told,)), job("e", kind="eval", label="run-a", axis="steps", at=10))
    found = query(
        tmp_path,
        'SELECT run_id, night, label, axis, "at", kind, value, n, torch FROM series ORDER BY kind, night NULLS LAST',
    )
    assert [(r["run_id"], r["night"], r["label"], r["at"], r["kind"], r["value"]) for r in found] == [
        (made.run_id, "night-0000", "run-a", 10, "accuracy", 0.5),
        (alone.run_id, None, None, None, "accuracy", 0.5),
        (made.run_id, "night-0000", "run-a", 10, "gold_logprob", -1.5),
    ]
    assert found[2]["n"] == 2
    assert {r["torch"] for r in found} == {"2"}
