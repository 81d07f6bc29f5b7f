"""A model's measured scores: the newest good one of each circumstance, also where nothing is published to hold it against."""

from datetime import timedelta

from support.records import record

from harness.records.files import write_record
from harness.records.record import Conformance, Counts
from harness.store.query import Reader
from minizoo.cli import run
from reports.tables.measured import measured_table, newest_scores

MODEL = "nano-teacher"


def measured(task, run_id=None, **changes):
    subject = record().subject.model_copy(update={"id": MODEL, "kind": "registry", "source": "minizoo"})
    return record(task, run_id, **{"subject": subject, **changes})


def scores_of(results, *records):
    for each in records:
        write_record(results, each)
    return newest_scores(Reader(results), MODEL)


def test_the_newest_good_score_stands_and_a_newer_failure_hides_it_not(tmp_path):
    old = measured("nano_words")
    times = [old.finished_at + timedelta(hours=hours) for hours in (1, 2)]
    new = measured("nano_words", finished_at=times[0])
    failed = measured("nano_words", finished_at=times[1], status="failed", reason="broke", scores=(), counts=None)
    assert [row["run_id"] for row in scores_of(tmp_path, old, new, failed)] == [new.run_id]


def test_a_group_stands_for_its_tasks_and_a_task_run_alone_for_itself(tmp_path):
    leaf = measured("mmlu_law")
    rows = scores_of(tmp_path, leaf, measured("mmlu", leaf.run_id, members=("mmlu_law",)), measured("nano_words"))
    assert [row["task"] for row in rows] == ["mmlu", "nano_words"]


def test_a_part_says_of_how_many_documents_it_is(tmp_path):
    score = record().scores[0].model_copy(update={"n": 2, "total": 1009})
    table = measured_table(scores_of(tmp_path, measured("nano_words", scores=(score,), limit=2)))
    (row,) = table.rows
    assert row[:4] == ("nano_words", "acc", "5", "0.5000")
    assert row[5] == "2 of 1,009"
    assert row[6] == "hf · float32 · cpu ‡"
    assert "‡ Unchecked" in table.notes[0]


def test_a_score_of_a_backend_that_passed_has_no_mark(tmp_path):
    known = Conformance(state="passed", source="shipped", digest="ab", depth="full")
    table = measured_table(scores_of(tmp_path, measured("nano_words", conformance=known)))
    assert (table.rows[0][6], table.notes) == ("hf · float32 · cpu", ())


def test_show_prints_scores_that_nobody_published(tmp_path, capsys):
    whole = Counts(documents=2, documents_total=2, requests=4, tokens=9, truncated=0, reused=0)
    write_record(tmp_path / "results", measured("a_task_of_mine", counts=whole))
    assert run(["show", MODEL, "--results", str(tmp_path / "results")]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("Measured")
    assert lines[at + 1].split()[:4] == ["task", "metric", "shots", "value"]
    assert lines[at + 2].split()[:4] == ["a_task_of_mine", "acc", "5", "0.5000"]


def test_without_results_show_says_nothing_of_them(tmp_path, capsys):
    assert run(["show", MODEL, "--results", str(tmp_path / "none")]) == 0
    assert "Measured" not in capsys.readouterr().out
    assert not (tmp_path / "none").exists()
