"""Records on disk are the truth; the database is made from them."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime

import duckdb
import pytest
from support.records import record, samples

from harness.records.files import new_run_id, run_folder, write_record
from harness.store.catch_up import catch_up, rebuild
from harness.store.check import check
from harness.store.connection import database_path
from harness.store.query import query


def measured(results):
    return query(results, "SELECT * FROM scores WHERE source = 'measured' ORDER BY run_id, task")


def test_views_have_the_promised_columns(tmp_path):
    write_record(tmp_path, record(), samples())
    promised = "run_id finished_at model backend device gpu suite task metric filter shots value stderr lower upper n"
    assert set(f"{promised} higher_is_better status source".split()) <= set(measured(tmp_path)[0])
    rows = query(tmp_path, "SELECT * FROM samples")
    promised = "run_id model task doc_id doc_hash occurrence request_hash prompt_hash metric value"
    assert set(promised.split()) <= set(rows[0])
    assert [row["value"] for row in rows] == [1.0, 0.0]


def test_times_are_utc(tmp_path):
    write_record(tmp_path, record())
    assert measured(tmp_path)[0]["finished_at"] == datetime(2026, 11, 21, 1, 3, 3, tzinfo=UTC)


def test_new_records_are_taken_in_once(tmp_path):
    run_id = new_run_id()
    write_record(tmp_path, record(run_id=run_id))
    assert catch_up(tmp_path) == 1
    assert catch_up(tmp_path) == 0
    write_record(tmp_path, record("arc_challenge", run_id=run_id))
    write_record(tmp_path, record())
    assert catch_up(tmp_path) == 2
    assert check(tmp_path).problems == ()
    assert len(measured(tmp_path)) == 3


def test_record_is_never_written_twice(tmp_path):
    first = record()
    write_record(tmp_path, first)
    with pytest.raises(FileExistsError):
        write_record(tmp_path, first)


def test_database_is_safe_to_delete(tmp_path):
    for _ in range(3):
        write_record(tmp_path, record(), samples())
    before = measured(tmp_path)
    database_path(tmp_path).unlink()
    assert measured(tmp_path) == before
    assert rebuild(tmp_path) == 3
    assert measured(tmp_path) == before


def test_damaged_database_is_made_anew(tmp_path):
    write_record(tmp_path, record())
    before = measured(tmp_path)
    database_path(tmp_path).write_bytes(b"not a database")
    assert measured(tmp_path) == before


def test_database_of_another_schema_version_is_made_anew(tmp_path):
    write_record(tmp_path, record())
    catch_up(tmp_path)
    with duckdb.connect(str(database_path(tmp_path))) as connection:
        connection.execute("UPDATE meta SET schema_version = 0")
    assert len(measured(tmp_path)) == 1


def test_torn_record_is_reported_and_the_others_stand(tmp_path, minizoo):
    good, bad = record(), record()
    write_record(tmp_path, good)
    torn = write_record(tmp_path, bad) / "record.json"
    torn.write_text(torn.read_text()[:100])
    ran = minizoo("db", "check", "--results", tmp_path)
    assert ran.code == 4
    assert str(torn.relative_to(tmp_path)) in ran.out
    assert [row["run_id"] for row in measured(tmp_path)] == [good.run_id]


def test_torn_samples_are_reported_and_the_others_stand(tmp_path, minizoo):
    good, bad = record(), record()
    write_record(tmp_path, good, samples())
    torn = write_record(tmp_path, bad, samples()) / "samples.parquet"
    torn.write_bytes(torn.read_bytes()[:200])
    ran = minizoo("db", "check", "--results", tmp_path)
    assert ran.code == 4
    assert str(torn.relative_to(tmp_path)) in ran.out
    assert [row["run_id"] for row in measured(tmp_path)] == [good.run_id]


def test_record_missing_from_disk_is_reported(tmp_path):
    gone = record()
    write_record(tmp_path, gone)
    catch_up(tmp_path)
    shutil.rmtree(run_folder(tmp_path, gone.run_id))
    assert check(tmp_path).problems == (f"{gone.run_id} winogrande: in the database but not on disk",)


def test_failed_task_is_a_row_with_its_reason(tmp_path):
    write_record(tmp_path, record(status="failed", reason="no isolation", scores=(), counts=None))
    (row,) = measured(tmp_path)
    assert (row["status"], row["reason"], row["value"], row["n"]) == ("failed", "no isolation", None, 0)


def test_published_scores_are_shares_and_keep_the_printed_figure(tmp_path):
    write_record(tmp_path, record())
    rows = query(
        tmp_path,
        "SELECT value, raw_value, run_id, source FROM scores WHERE model = ? AND task = 'mmlu' AND source = 'published'",
        ["minitron-8b"],
    )
    assert {"value": 0.645, "raw_value": 64.5, "run_id": None, "source": "published"} in rows


def test_file_is_made_for_duckdb_1_4(tmp_path):
    write_record(tmp_path, record(), samples())
    catch_up(tmp_path)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{database_path(tmp_path)}' AS file (READ_ONLY)")
        (tags,) = connection.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'file'").fetchone()
    assert tags["storage_version"].startswith("v1.4.0")


def test_duckdb_1_4_opens_the_file(tmp_path):
    python = os.environ.get("MINIZOO_DUCKDB_1_4_PYTHON")
    if not python:
        pytest.skip("MINIZOO_DUCKDB_1_4_PYTHON names no interpreter with DuckDB 1.4")
    write_record(tmp_path, record(), samples())
    catch_up(tmp_path)
    script = (
        f"import duckdb, json; c = duckdb.connect({str(database_path(tmp_path))!r}, read_only=True);"
        "value = c.execute(\"SELECT value FROM scores WHERE source = 'measured'\").fetchall();"
        "print(json.dumps([duckdb.__version__, value, c.execute('SELECT count(*) FROM samples').fetchall()]))"
    )
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    version, scores, counted = json.loads(done.stdout)
    assert version.startswith("1.4.")
    assert (scores, counted) == ([[0.5]], [[2]])


def test_reader_elsewhere_is_answered_in_a_paragraph(tmp_path, minizoo):
    write_record(tmp_path, record())
    catch_up(tmp_path)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [os.sys.executable, "-c", hold, str(database_path(tmp_path))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"open\n"
        ran = minizoo("db", "check", "--results", tmp_path)
    finally:
        holder.communicate()
    assert ran.code == 4
    assert "is open in another program" in ran.err
    assert f"PID {holder.pid}" in ran.err


def test_db_path_prints_where_it_is(tmp_path, minizoo):
    write_record(tmp_path, record())
    ran = minizoo("db", "path", "--results", tmp_path)
    assert ran.code == 0
    assert ran.out.strip() == str(database_path(tmp_path))
    assert database_path(tmp_path).is_file()


def test_samples_of_before_a_column_was_written_are_taken_in_without_it(tmp_path):
    import pyarrow.parquet as pq

    old = write_record(tmp_path, record(), samples()) / "samples.parquet"
    pq.write_table(pq.read_table(old).drop_columns(["cluster", "gold", "gold_logprob", "length"]), old)
    write_record(tmp_path, record(), [{**row, "gold": 1, "gold_logprob": -2.5, "length": 9} for row in samples()])
    told = query(tmp_path, "SELECT gold, gold_logprob, length, cluster, value FROM samples ORDER BY ALL")
    assert [(*row.values(),) for row in told] == [
        (1, -2.5, 9, None, 0.0), (1, -2.5, 9, None, 1.0), (None, None, None, None, 0.0), (None, None, None, None, 1.0),
    ]  # fmt: skip
