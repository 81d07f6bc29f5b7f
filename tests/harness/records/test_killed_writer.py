"""A record whose writer was killed: what it left goes when the record is written again."""

from support.records import record

from harness.records.files import run_folder, write_record


def test_what_a_killed_writer_left_is_gone_once_its_record_is_written(tmp_path):
    made = record(task="t")
    run = run_folder(tmp_path, made.run_id)
    for name in (".t.123.part", ".other.123.part"):
        (run / name).mkdir(parents=True)
        (run / name / "record.json").write_text("{")
    folder = write_record(tmp_path, made)
    assert sorted(path.name for path in run.iterdir()) == [".other.123.part", folder.name]
