"""`minizoo import BUNDLE`: rows of another machine come in as contributed, once, beside what is this machine's own."""

import json

import pytest
from support.bundles import (
    A100,
    HOME,
    HOST,
    ON_A100,
    USER,
    bundle_of,
    compared_runs,
    evaluation,
    in_record,
    members,
    rewritten,
    scoring_row,
    speed_run,
)
from support.foreign_results import TRTLLM

from harness.bundles import take as taking
from harness.bundles.take import take
from harness.bundles.unpack import is_bundle, read_bundle
from harness.records.files import read_record, run_folder, write_record
from harness.store.check import check
from harness.store.query import query
from zoo.errors import NotWritable

SPEED = "SELECT task, metric, statistic, value, lower, upper, n, valid, source FROM speed ORDER BY ALL"


def stored(results):
    """Every record on disk, in order of run and task."""
    return [read_record(path) for path in sorted((results / "runs").rglob("record.json"))]


def files_of(results):
    """Every file of the runs with its bytes."""
    return {path: path.read_bytes() for path in (results / "runs").rglob("*") if path.is_file()}


def test_rows_come_in_as_they_were_measured_and_say_who_gave_them(far, bundle, tmp_path, minizoo):
    results = tmp_path / "results"
    ran = minizoo("import", bundle, "--results", results)
    assert ran.code == 0, ran.err
    assert "Ada Lovelace" in ran.out
    there, here = stored(far[0]), stored(results)
    assert [(r.run_id, r.task) for r in here] == [(r.run_id, r.task) for r in there]
    assert {(r.source, r.contribution.by, r.contribution.file) for r in here} == {
        ("contributed", "Ada Lovelace", bundle.name)
    }
    assert [r.speed for r in here] == [r.speed for r in there]
    tables = {path.relative_to(results): content for path, content in files_of(results).items()}
    theirs = {path.relative_to(far[0]): content for path, content in files_of(far[0]).items()}
    assert tables.keys() == theirs.keys()
    assert all(theirs[name] == content for name, content in tables.items() if name.suffix == ".parquet")
    assert check(results).problems == ()
    assert minizoo("db", "check", "--results", results).code == 0
    figures = query(results, SPEED)
    assert figures == [row | {"source": "contributed"} for row in query(far[0], SPEED)]
    assert query(results, "SELECT DISTINCT contributed_by FROM speed") == [{"contributed_by": "Ada Lovelace"}]
    assert query(results, "SELECT contributed_by, conforms FROM scoring") == [
        {"contributed_by": "Ada Lovelace", "conforms": True}
    ]


def test_whoever_gives_no_name_is_nobody_and_the_document_tells_what_came_in(far, tmp_path, minizoo):
    path = bundle_of(*far, tmp_path, by=None)
    (told,) = minizoo("import", path, "--results", tmp_path / "results", "--json").json()["bundles"]
    assert (told["by"], told["imported_before"], told["left_out"], told["doubts"]) == (None, False, [], [])
    assert [record["source"] for record in told["records"]] == ["contributed"] * 3
    assert {r.contribution.by for r in stored(tmp_path / "results")} == {None}


def test_a_bundle_that_was_imported_adds_nothing_again_whatever_its_name(bundle, tmp_path, minizoo):
    results = tmp_path / "results"
    minizoo("import", bundle, "--results", results)
    before = files_of(results)
    renamed = bundle.rename(bundle.with_name("other.bin"))
    ran = minizoo("import", renamed, "--results", results)
    assert ran.code == 0
    assert "imported before" in ran.err
    assert files_of(results) == before


def test_what_this_machine_measured_is_never_written_over(tmp_path, minizoo):
    results = tmp_path / "results"
    run = speed_run(results)
    path = bundle_of(results, [run], tmp_path)
    before = files_of(results)
    ran = minizoo("import", path, "--results", results)
    assert ran.code == 0
    assert f"run {run} is this machine's own" in ran.out
    assert files_of(results) == before


def test_a_run_grows_by_its_contributors_later_bundles_alone(tmp_path, minizoo):
    far, results = tmp_path / "far", tmp_path / "results"
    run = speed_run(far)
    first = bundle_of(far, [run], tmp_path)
    speed_run(far, batches=(2,), run_id=run)
    second, mallorys = bundle_of(far, [run], tmp_path), bundle_of(far, [run], tmp_path, by="Mallory")
    minizoo("import", first, "--results", results)
    before = files_of(results)
    assert "another name" in minizoo("import", mallorys, "--results", results).out
    assert files_of(results) == before
    assert "has it already" in minizoo("import", second, "--results", results).out
    assert [r.task for r in stored(results)] == ["fake.8x5.b1", "fake.8x5.b2"]
    assert before.items() <= files_of(results).items()


def test_bundles_and_other_tools_files_come_in_together_or_not_at_all(bundle, tmp_path, minizoo):
    other, bad, results = tmp_path / "trtllm.json", tmp_path / "bad.json", tmp_path / "results"
    other.write_text(json.dumps(TRTLLM))
    bad.write_text("TTFT 12 ms")
    assert minizoo("import", bundle, bad, "--results", results).code == 2
    cut = bundle.with_name("cut.zip")
    cut.write_bytes(bundle.read_bytes()[:-30])
    assert minizoo("import", other, cut, "--results", results).code == 2
    assert not results.exists()
    ran = minizoo("import", other, bundle, "--results", results)
    assert ran.code == 0, ran.err
    assert {r.source for r in stored(results)} == {"imported", "contributed"}


def test_check_validates_and_writes_nothing(bundle, tmp_path, minizoo, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = minizoo("import", "--check", bundle)
    assert ran.code == 0, ran.err
    assert "Nothing was stored" in ran.out
    assert list(tmp_path.iterdir()) == [bundle.parent]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--gpu", "A100", "{bundle}"], "--gpu"),
        (["--batch", "8", "--check", "{bundle}"], "--batch"),
        (["--check", "{other}"], "other.json is none"),
        (["--check", "{bundle}", "{other}"], "other.json is none"),
        (["--check", "{missing}"], "missing.zip"),
        (["{missing}"], "missing.zip"),
    ],
)
def test_words_that_do_not_fit_are_refused(bundle, tmp_path, minizoo, words, told):
    other = tmp_path / "other.json"
    other.write_text(json.dumps(TRTLLM))
    places = {"bundle": bundle, "other": other, "missing": tmp_path / "missing.zip"}
    ran = minizoo("import", *(word.format(**places) for word in words), "--results", tmp_path / "results")
    assert ran.code == 2
    assert told in ran.err
    assert not (tmp_path / "results").exists()


def test_a_full_disk_leaves_nothing_of_a_bundle(bundle, tmp_path, monkeypatch):
    calls = []

    def full_at_the_last(results, record, **words):
        calls.append(record.task)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return write_record(results, record, **words)

    monkeypatch.setattr(taking, "write_record", full_at_the_last)
    with pytest.raises(NotWritable, match="No space left"):
        take([bundle], tmp_path)
    assert len(calls) == 3
    assert stored(tmp_path) == []
    assert not any(run_folder(tmp_path, row.record.run_id).exists() for row in read_bundle(bundle).records)


def test_a_figure_that_its_trials_do_not_give_comes_in_as_invalid(tmp_path, minizoo):
    far, results = tmp_path / "far", tmp_path / "results"
    path = bundle_of(far, [speed_run(far)], tmp_path)
    rewritten(path, in_record(speed__statistics__0__value=lambda value: value / 2), seal=True)
    checked = minizoo("import", "--check", path)
    assert checked.code == 1
    assert "Not to be believed: fake.8x5.b1" in checked.out
    assert minizoo("import", path, "--results", results).code == 0
    (kept,) = stored(results)
    assert (kept.speed.validity.valid, [r.code for r in kept.speed.validity.reasons]) == (False, ["figures-differ"])
    assert query(results, "SELECT DISTINCT valid, reason_codes FROM speed") == [
        {"valid": False, "reason_codes": "figures-differ"}
    ]


def test_a_row_faster_than_its_roofline_comes_in_as_invalid_and_the_rest_is_kept(tmp_path, minizoo):
    far, results = tmp_path / "far", tmp_path / "results"
    runs = [speed_run(far, ON_A100, prefill=1.0, step=step) for step in (1e-6, 0.5)]
    path = bundle_of(far, runs, tmp_path)
    assert path.name.startswith("minizoo-rows-nvidia-a100-sxm4-80gb-20261130-")
    checked = minizoo("import", "--check", path)
    assert checked.code == 1
    assert A100 in checked.out
    minizoo("import", path, "--results", results)
    rows = {r.run_id: r.speed.validity for r in stored(results)}
    assert {reason.code for reason in rows[runs[0]].reasons} == {"above-roofline"}
    assert rows[runs[1]].valid


def test_a_ratio_with_a_doubtful_side_is_not_valid(tmp_path):
    far = tmp_path / "far"
    ours, theirs = compared_runs(far)
    path = bundle_of(far, [ours], tmp_path)
    assert {row.record.run_id for row in read_bundle(path).records} == {ours, theirs}
    rewritten(path, in_record(f"{theirs}/", speed__trials=8), seal=True)
    (taken,) = take([path], tmp_path / "results")
    assert {run for run, _ in taken.doubts} == {theirs}
    rows = {record.run_id: record.speed for record in taken.records}
    assert rows[ours].validity.valid
    assert [one.valid for one in rows[ours].comparisons] == [False]
    assert query(tmp_path / "results", "SELECT DISTINCT valid FROM speed_ratios") == [{"valid": False}]


def test_scoring_that_contradicts_itself_is_left_out(tmp_path, minizoo):
    far, results = tmp_path / "far", tmp_path / "results"
    path = bundle_of(far, [scoring_row(far), speed_run(far)], tmp_path)
    rewritten(path, in_record("scoring.", beside__documents=0), seal=True)
    ran = minizoo("import", path, "--results", results)
    assert ran.code == 0, ran.err
    assert "Left out: scoring.hellaswag" in ran.out
    assert [r.task for r in stored(results)] == ["fake.8x5.b1"]


def test_what_is_no_bundle_is_not_one(bundle, far, tmp_path):
    assert is_bundle(bundle)
    plain = tmp_path / "minizoo-rows-x.zip"
    plain.write_bytes(b"PK\x03\x04 and no more")
    assert not is_bundle(plain)
    assert not is_bundle(tmp_path)
    assert not is_bundle(tmp_path / "missing")


def test_nothing_of_the_machine_or_its_user_is_in_a_bundle(bundle):
    for name, content in members(bundle).items():
        for private in (HOST, "gpu-box7", "lab.example.org", HOME, "my loads"):
            assert private.encode() not in content, name
        assert USER.encode() not in content.lower(), name
    (record, *_) = (row.record for row in read_bundle(bundle).records if row.record.speed)
    assert record.setting.host == "withheld"
    assert record.setting.command == "minizoo bench minitron-8b --results results --workload fake.yaml"


def test_evaluations_imports_and_runs_that_broke_off_are_not_packed(tmp_path):
    run = speed_run(tmp_path)
    for changes in ({}, {"source": "imported"}, {"status": "infra_failed"}):
        evaluation(tmp_path, **changes)
    every = [path.name for path in (tmp_path / "runs").glob("*/*")]
    assert len(every) == 4
    assert {row.record.run_id for row in read_bundle(bundle_of(tmp_path, every, tmp_path)).records} == {run}
