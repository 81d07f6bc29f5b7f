"""What a model's page takes from the results: the newest score of each kind, the newest runs, and how many there are."""

from datetime import UTC, datetime, timedelta

from support.model_site import MODEL, score, subject, write

from harness.store.query import Reader
from harness.store.reproduction import beside, newest
from reports.models.evidence import evidence_in
from reports.models.scores import runs

START = datetime(2026, 11, 1, tzinfo=UTC)


def written(results, count, **changes):
    for day in range(count):
        when = START + timedelta(days=(day * 7) % count)
        times = {"started_at": when, "finished_at": when + timedelta(minutes=1)}
        write(results, subject(MODEL, entry={"id": MODEL}), scores=(score(1000 + day),), **times, **changes)


def test_the_query_leaves_what_the_rule_of_newest_leaves(tmp_path):
    written(tmp_path, 3)
    written(tmp_path, 2, shots=0)
    reader = Reader(tmp_path)
    every = reader.rows("SELECT * FROM reproduction ORDER BY finished_at, run_id")
    assert len({row["run_id"] for row in every}) == 5
    assert evidence_in(reader).beside[MODEL] == beside(newest(every))


def test_of_many_runs_the_newest_stand_and_all_are_counted(tmp_path):
    written(tmp_path, 53)
    found = evidence_in(Reader(tmp_path)).runs[MODEL]
    drawn = runs(found)
    assert drawn is not None
    assert len(drawn.lines) == 50
    assert drawn.lines[0].cells[1].text == "2026-12-23 00:01"
    assert drawn.notes == ("The newest 50 of 53; the page of all runs has the others.",)


def test_few_runs_have_no_note(tmp_path):
    written(tmp_path, 2)
    drawn = runs(evidence_in(Reader(tmp_path)).runs[MODEL])
    assert drawn is not None
    assert drawn.notes == ()
