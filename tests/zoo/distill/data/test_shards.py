"""Rows in files: made once, gone on with after a kill, refused where they are of something else or not as written."""

import functools
import json
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from zoo.distill.data import prepare as preparing
from zoo.distill.data import shards
from zoo.distill.data.manifest import read_manifest
from zoo.distill.data.packing import ID
from zoo.distill.data.prepare import RowSettings, prepare
from zoo.distill.data.shards import check_shards, open_rows
from zoo.distill.data.sources import parse_sources
from zoo.errors import Busy, DiskFull, InvalidTrainingData, OtherData, TokenOutsideVocabulary, TooLittleData

SETTINGS = RowSettings(length=16, shard_bytes=16 * 4 * 3)  # three rows a file
TEXTS = [f"{n} " * (n * 7 % 20) for n in range(30)]


@pytest.fixture
def tales(jsonl):
    return jsonl("tales.jsonl", [{"text": text} for text in TEXTS])


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*")) if path.name != "manifest.json"}


def test_every_text_is_in_the_rows_once(tales, tokenizer, tmp_path):
    sources = parse_sources([str(tales)])
    manifest = prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")
    rows = open_rows(tmp_path / "rows", sources, 256)
    batch = rows.batch(range(len(rows)))
    said = bytes(int(id) for id in batch.ids[batch.weight > 0])
    assert said.replace(b"\x01", b"") == "".join(TEXTS).encode()
    assert said.count(b"\x01") >= 20  # an EOS each, but where it alone was left for a row
    assert manifest.tokens == int(batch.weight.sum())
    assert (manifest.rows, manifest.digest) == (len(rows), rows.digest)
    assert manifest.sources[0].empty == 2


def test_files_are_little_endian_uint32(tales, tokenizer, tmp_path):
    manifest = prepare(parse_sources([str(tales)]), tokenizer, SETTINGS, tmp_path / "rows")
    first = np.fromfile(tmp_path / "rows" / manifest.sources[0].shards[0].file, "<u4")
    assert first.shape == (3 * 16,)
    assert first[0] & ID == 0
    assert [shard.rows for shard in manifest.sources[0].shards][:-1] == [3] * (len(manifest.sources[0].shards) - 1)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("writes", [0, 1, 5])
def test_a_run_that_is_stopped_goes_on_to_the_same_files(tales, jsonl, tokenizer, tmp_path, monkeypatch, writes):
    other = jsonl("other.jsonl", [{"text": "once " * 30}, {"text": None}, {"text": ""}, {"text": "upon a time"}])
    sources = parse_sources([str(other), str(tales)])
    settings = replace(SETTINGS, skip_broken=True, left_out={str(tales): frozenset([3, 11, 27])})
    whole = prepare(sources, tokenizer, settings, tmp_path / "whole")
    done = [0]

    def write(path, rows):
        if done[0] == writes:
            raise Killed
        done[0] += 1
        return original(path, rows)

    original = preparing.write_shard
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "write_shard", write)
        with pytest.raises(Killed):
            prepare(sources, tokenizer, settings, tmp_path / "parts")
    with pytest.raises(OtherData, match="not finished"):
        open_rows(tmp_path / "parts", sources, 256)
    assert prepare(sources, tokenizer, settings, tmp_path / "parts") == whole
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert (whole.sources[0].broken, whole.sources[0].empty, whole.sources[1].dropped) == (1, 1, 3)
    assert "other.jsonl:2" in whole.sources[0].broken_first[0]


def test_a_killed_process_leaves_nothing_that_hinders(tales, tokenizer, tmp_path):
    sources = parse_sources([str(tales)])
    child = multiprocessing.get_context("fork").Process(target=_killed, args=(sources, tokenizer, tmp_path / "rows"))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert list((tmp_path / "rows").glob(".*.u32.*"))
    manifest = prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")
    assert manifest == prepare(sources, tokenizer, SETTINGS, tmp_path / "anew")
    assert contents(tmp_path / "rows") == contents(tmp_path / "anew")


def _killed(sources, tokenizer, folder):
    original = os.fsync
    calls = [0]

    def fsync(handle):
        calls[0] += 1
        if calls[0] > 12:
            os.kill(os.getpid(), signal.SIGKILL)
        original(handle)

    os.fsync = fsync
    prepare(sources, tokenizer, SETTINGS, folder)


def test_finished_rows_are_found_and_nothing_is_read(tales, tokenizer, tmp_path):
    sources = parse_sources([str(tales)])
    made = prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")
    silent = replace(tokenizer, encode=None)
    assert prepare(sources, silent, SETTINGS, tmp_path / "rows") == made


def test_a_file_that_was_moved_is_known_by_its_content(tales, tokenizer, tmp_path):
    made = prepare(parse_sources([str(tales)]), tokenizer, SETTINGS, tmp_path / "rows")
    moved = shutil.copy(tales, tmp_path / "moved.jsonl")
    again = prepare(parse_sources([str(moved)]), tokenizer, SETTINGS, tmp_path / "rows")
    assert again.digest == made.digest
    assert again.sources[0].name == str(moved)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"length": 8}, "`length` was 16, and now is 8"),
        ({"skip_broken": True}, "skip_broken"),
        ({"left_out": 7}, "other documents of .* are to be left out"),
    ],
)
def test_rows_made_otherwise_are_refused(tales, tokenizer, tmp_path, change, told):
    sources = parse_sources([str(tales)])
    prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")
    if "left_out" in change:
        change = {"left_out": {str(tales): frozenset([7])}}
    with pytest.raises(OtherData, match=told):
        prepare(sources, tokenizer, replace(SETTINGS, **change), tmp_path / "rows")


def test_rows_of_another_tokenizer_are_refused(tales, tokenizer, tmp_path):
    sources = parse_sources([str(tales)])
    prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")
    with pytest.raises(OtherData, match="`tokenizer` was bytes, and now is other"):
        prepare(sources, replace(tokenizer, digest="other"), SETTINGS, tmp_path / "rows")


def test_rows_of_other_content_are_refused(tales, tokenizer, tmp_path):
    sources = parse_sources([str(tales)])
    prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")
    with tales.open("a") as file:
        file.write('{"text": "more"}\n')
    with pytest.raises(OtherData, match="had other content"):
        prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")


def test_a_folder_of_something_else_is_refused(tales, tokenizer, tmp_path):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "thesis.tex").write_text("mine")
    with pytest.raises(OtherData, match=r"thesis\.tex and no rows"):
        prepare(parse_sources([str(tales)]), tokenizer, SETTINGS, tmp_path / "rows")


def test_a_folder_that_another_process_holds_is_refused(tales, tokenizer, tmp_path):
    (tmp_path / "rows").mkdir()
    with FileLock(tmp_path / "rows" / ".lock"), pytest.raises(Busy):
        prepare(parse_sources([str(tales)]), tokenizer, SETTINGS, tmp_path / "rows")


@pytest.mark.parametrize("harm", ["cut", "flipped", "gone", "manifest"])
def test_harmed_rows_are_refused(tales, tokenizer, tmp_path, harm):
    sources, folder = parse_sources([str(tales)]), tmp_path / "rows"
    prepare(sources, tokenizer, SETTINGS, folder)
    check_shards(folder)
    file = folder / "00-00001.u32"
    if harm == "gone":
        file.unlink()
    elif harm == "manifest":
        (folder / "manifest.json").write_text('{"schema": "minizoo.rows/1"}')
    else:
        content = file.read_bytes()
        file.write_bytes(content[:-4] if harm == "cut" else bytes([content[0] ^ 1]) + content[1:])
    if harm == "flipped":  # sizes alone are looked at when rows are opened
        with pytest.raises(OtherData, match=r"00-00001\.u32 is not as it was written"):
            check_shards(folder)
    else:
        with pytest.raises(OtherData):
            open_rows(folder, sources, 256)


def test_a_full_disk_is_told_before_the_file_and_what_is_made_stays(tales, tokenizer, tmp_path, monkeypatch):
    sources, folder = parse_sources([str(tales)]), tmp_path / "rows"
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        left = iter([10**9, 10**9, 5])
        patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=next(left)))
        with pytest.raises(DiskFull, match="has 5 free"):
            prepare(sources, tokenizer, SETTINGS, folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.rows == 6
    assert prepare(sources, tokenizer, SETTINGS, folder).finished


@pytest.mark.parametrize("text", ["", "\n\n", '{"text": ""}\n{"text": " "}\n'])
def test_data_without_a_text_is_refused(tokenizer, tmp_path, text):
    (tmp_path / "none.jsonl").write_text(text)
    with pytest.raises(TooLittleData, match=r"no text of two tokens in .*none\.jsonl"):
        prepare(parse_sources([str(tmp_path / "none.jsonl")]), tokenizer, SETTINGS, tmp_path / "rows")


def test_text_that_is_left_out_whole_is_told(tokenizer, tmp_path):
    (tmp_path / "tale.txt").write_text("Once upon a time.")
    sources = parse_sources([str(tmp_path / "tale.txt")])
    settings = replace(SETTINGS, left_out={sources[0].name: frozenset([0])})
    with pytest.raises(TooLittleData, match=r"is left: 1 of them overlap.* A \.txt is one document"):
        prepare(sources, tokenizer, settings, tmp_path / "rows")


def test_an_id_outside_the_vocabulary_names_the_line(tokenizer, jsonl, tmp_path):
    path = jsonl("two.jsonl", [{"text": "plain"}, {"text": "wörter"}])
    small = replace(tokenizer, vocabulary=128)
    with pytest.raises(TokenOutsideVocabulary, match=r"token id 195 for .*two\.jsonl:2, the model has .* 128"):
        prepare(parse_sources([str(path)]), small, SETTINGS, tmp_path / "rows")


def test_a_broken_line_is_refused_by_file_and_line(tokenizer, jsonl, tmp_path):
    path = jsonl("three.jsonl", [{"text": "fine"}, {"text": "fine"}, {"txt": "no"}])
    with pytest.raises(InvalidTrainingData, match=r"three\.jsonl:3"):
        prepare(parse_sources([str(path)]), tokenizer, SETTINGS, tmp_path / "rows")


def test_shares_are_of_the_rows_that_are_trained_on(tales, jsonl, tokenizer, tmp_path):
    few = jsonl("few.jsonl", [{"text": "few " * 30}])
    sources = parse_sources([f"{tales}@1", f"{few}@3"])
    manifest = prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")
    rows = open_rows(tmp_path / "rows", sources, 256, seed=2)
    drawn = np.array(rows.step_rows(0, 4096))
    assert np.count_nonzero(drawn >= manifest.sources[0].rows) == 3072
    plain = open_rows(tmp_path / "rows", parse_sources([str(tales), str(few)]), 256)
    assert sorted(plain.step_rows(0, len(plain))) == list(range(len(plain)))


def test_a_source_with_a_share_and_no_text_is_refused(tales, jsonl, tokenizer, tmp_path):
    none = jsonl("none.jsonl", [{"text": ""}])
    sources = parse_sources([f"{tales}@1", f"{none}@3"])
    prepare(sources, tokenizer, SETTINGS, tmp_path / "rows")
    with pytest.raises(TooLittleData, match=r"none\.jsonl has a share"):
        open_rows(tmp_path / "rows", sources, 256)


def test_more_files_than_are_mapped_at_once_are_read_right(tales, tokenizer, tmp_path, monkeypatch):
    sources = parse_sources([str(tales)])
    manifest = prepare(sources, tokenizer, SETTINGS, tmp_path / "many")
    prepare(sources, tokenizer, RowSettings(length=16), tmp_path / "one")
    many, one = (open_rows(tmp_path / name, sources, 256) for name in ("many", "one"))
    monkeypatch.setattr(shards, "_mapped", functools.lru_cache(maxsize=2)(shards._mapped.__wrapped__))
    assert len(manifest.sources[0].shards) > 2
    assert many.batch(range(len(many))).ids.equal(one.batch(range(len(one))).ids)


def test_progress_is_told_in_bytes_of_the_sources(tales, tokenizer, tmp_path):
    told = []
    prepare(parse_sources([str(tales)]), tokenizer, SETTINGS, tmp_path / "rows", lambda *step: told.append(step))
    assert told[-1][1:] == (tales.stat().st_size, tales.stat().st_size)


def test_the_manifest_can_be_read_by_others(tales, tokenizer, tmp_path):
    prepare(parse_sources([str(tales)]), tokenizer, SETTINGS, tmp_path / "rows")
    told = json.loads((tmp_path / "rows" / "manifest.json").read_text())
    assert (told["schema"], told["length"], told["tokenizer"]) == ("minizoo.rows/1", 16, "bytes")
