"""Packing: the same rows are the same bytes, under a name that says what and when, and what cannot be packed is told."""

import pytest
from support.bundles import MADE, bundle_of, evaluation, speed_run

from harness.bundles.pack import pack
from harness.bundles.unpack import read_bundle
from harness.records.files import new_run_id
from zoo.errors import InvalidFile, InvalidOption, NothingToPack, NotWritable


def test_the_same_rows_are_the_same_bytes(far, packed_once, tmp_path):
    results, runs = far
    again = bundle_of(results, [*reversed(runs), *runs], tmp_path)
    assert again.name == packed_once.name
    assert again.read_bytes() == packed_once.read_bytes()


def test_its_name_says_what_was_measured_and_when_and_what_is_in_it(packed_once):
    digest = read_bundle(packed_once).manifest.digest
    assert packed_once.name == f"minizoo-rows-amd-epyc-7763-64-core-processor-20261130-{digest[:8]}.zip"


def test_what_was_not_measured_stands_in_it(far, tmp_path):
    path = bundle_of(*far, tmp_path, notes=["minitron-8b does not fit into /home/alice/gpu."])
    assert read_bundle(path).manifest.notes == ("minitron-8b does not fit into gpu.",)


def test_runs_without_a_row_are_nothing_to_pack(tmp_path):
    with pytest.raises(NothingToPack):
        pack(tmp_path, [evaluation(tmp_path), new_run_id()], tmp_path)
    with pytest.raises(NothingToPack):
        pack(tmp_path, [], tmp_path)


@pytest.mark.parametrize("by", ["", " ", "a\nb", "\x1b[2J", "x" * 81, "\u202eevil", "a\u2028b", "\ud800"])
def test_a_name_that_cannot_be_shown_is_refused(far, tmp_path, by):
    with pytest.raises(InvalidOption):
        bundle_of(*far, tmp_path, by=by)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("by", ["Ada", "O'Brien <b>", "李小龍", "=cmd()", "../../x", "x" * 80])
def test_any_other_name_stays_as_it_is(far, tmp_path, by):
    assert read_bundle(bundle_of(*far, tmp_path, by=by)).manifest.by == by


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(InvalidOption):
        pack(tmp_path, ["../../etc"], tmp_path)


def test_a_record_that_cannot_be_read_is_named(tmp_path):
    run = speed_run(tmp_path)
    (path,) = (tmp_path / "runs").rglob("record.json")
    path.write_text("{")
    with pytest.raises(InvalidFile, match="cannot be read"):
        pack(tmp_path, [run], tmp_path)


def test_a_folder_that_cannot_be_written_is_told(far, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable):
        pack(*far, tmp_path / "file", made_at=MADE)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
