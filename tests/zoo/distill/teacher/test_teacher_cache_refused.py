"""A cache that is not the one wanted, is broken, or cannot be written: one error a cause, and nothing that stands is lost."""

import errno
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from zoo.distill.batch import ExactTargets
from zoo.distill.teacher.cache import tensor_file
from zoo.distill.teacher.cache.manifest import Exact, Sampled, check_same, read_manifest
from zoo.distill.teacher.cache.reader import CachedTeacher, check_cache
from zoo.distill.teacher.cache.writer import Making, manifest_of, write_cache
from zoo.errors import (
    Busy,
    CacheBroken,
    CacheIncomplete,
    CacheOfOtherData,
    CacheOfOtherForm,
    CacheOfOtherTeacher,
    CacheOfOtherTokenizer,
    ConflictingOptions,
    DiskFull,
    NotWritable,
    TeacherNotFinite,
)

EXACT = Exact(dtype="float32")
SAMPLED = Sampled(k=4)
SMALL = Making(shard_bytes=48 * 4 * 4 * 2)
"""Two rows of samples a file."""


@pytest.fixture
def cache(live, rows, told, folder) -> Path:
    write_cache(folder, told(SAMPLED), live, range(6), rows.batch, SMALL)
    return folder


OTHERS = [
    ({"teacher": "another"}, CacheOfOtherTeacher),
    ({"hidden": 128}, CacheOfOtherTeacher),
    ({"softcap": 30.0}, CacheOfOtherTeacher),
    ({"data": "others"}, CacheOfOtherData),
    ({"length": 64}, CacheOfOtherData),
    ({"tokenizer": "another"}, CacheOfOtherTokenizer),
    ({"vocabulary": 32_000}, CacheOfOtherTokenizer),
    ({"form": EXACT}, CacheOfOtherForm),
    ({"form": Sampled(k=5)}, CacheOfOtherForm),
    ({"form": Sampled(k=4, temperature=2.0)}, CacheOfOtherForm),
    ({"form": Sampled(k=4, seed=1)}, CacheOfOtherForm),
    ({"form": Sampled(k=4, draw="independent")}, CacheOfOtherForm),
]


@pytest.mark.parametrize(("change", "cause"), OTHERS)
def test_a_cache_of_something_else_is_refused_and_stays(cache, live, rows, told, change, cause):
    before = {path.name: path.read_bytes() for path in cache.glob("*.*")}
    wanted = told(SAMPLED).model_copy(update=change)
    with pytest.raises(cause) as refused:
        CachedTeacher(cache, wanted)
    assert str(cache) in refused.value.what
    with pytest.raises(cause):
        write_cache(cache, wanted, live, range(6), rows.batch)
    assert {path.name: path.read_bytes() for path in cache.glob("*.*")} == before


def test_other_names_do_not_make_another_cache(told, folder):
    check_same(folder, told(SAMPLED), told(SAMPLED).model_copy(update={"teacher_name": "elsewhere"}))


def test_the_refusal_says_what_differs(cache, told):
    with pytest.raises(CacheOfOtherForm, match="k 4 there, 5 here"):
        CachedTeacher(cache, told(Sampled(k=5)))
    with pytest.raises(CacheOfOtherForm, match="form: sampled there, exact here"):
        CachedTeacher(cache, told(EXACT))


def test_samples_without_the_teachers_entropy_are_refused(cache, live, rows, told):
    path = cache / "manifest.json"
    older = json.loads(path.read_text())
    del older["form"]["entropy"]
    path.write_text(json.dumps(older))
    for use in (lambda: CachedTeacher(cache), lambda: write_cache(cache, told(SAMPLED), live, range(6), rows.batch)):
        with pytest.raises(CacheOfOtherForm, match="cross-entropy and not a divergence"):
            use()


def test_a_row_that_was_not_cached_is_named(cache, rows):
    cached = CachedTeacher(cache)
    with pytest.raises(CacheIncomplete, match="row 7"):
        cached.targets(rows.batch([2, 7]))
    with pytest.raises(CacheIncomplete, match="lacks 2 rows"):
        cached.check_rows([1, 8, 9])


def test_a_row_whose_counted_positions_differ_is_refused(cache, rows):
    batch = rows.batch([1])
    batch.weight[0, 5:20] = 0
    with pytest.raises(CacheOfOtherData):
        CachedTeacher(cache).targets(batch)


def test_a_folder_without_a_cache_is_refused(tmp_path):
    with pytest.raises(CacheBroken):
        CachedTeacher(tmp_path)
    with pytest.raises(CacheBroken):
        read_manifest(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(CacheBroken):
        read_manifest(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "minizoo.teacher-cache/2"}', "\x00"])
def test_a_broken_manifest_is_refused(cache, text):
    (cache / "manifest.json").write_text(text)
    with pytest.raises(CacheBroken):
        CachedTeacher(cache)


def test_a_file_that_is_cut_off_is_named(cache):
    file = sorted(cache.glob("rows-*"))[1]
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 5)
    with pytest.raises(CacheBroken, match=file.name):
        CachedTeacher(cache)


def test_removing_a_broken_file_makes_its_rows_anew(cache, live, rows, told):
    before = CachedTeacher(cache).targets(rows.batch([2]))
    sorted(cache.glob("rows-*"))[1].unlink()
    write_cache(cache, told(SAMPLED), live, range(6), rows.batch, SMALL)
    after = CachedTeacher(cache).targets(rows.batch([2]))
    assert torch.equal(before.ids, after.ids)


def test_a_changed_byte_is_found_by_a_check(cache):
    check_cache(cache)
    file = sorted(cache.glob("rows-*"))[0]
    content = bytearray(file.read_bytes())
    content[-3] ^= 4
    file.write_bytes(content)
    with pytest.raises(CacheBroken, match=file.name):
        check_cache(cache)


def test_a_file_of_another_cache_is_refused(cache, live, rows, told, tmp_path):
    other = Sampled(k=4, seed=9)
    write_cache(tmp_path / "other", told(other), live, [11], rows.batch)
    shutil.copy(tmp_path / "other/rows-0000000011.safetensors", cache)
    with pytest.raises(CacheBroken, match="another teacher's cache"):
        CachedTeacher(cache)


def test_an_exact_cache_without_its_head_is_refused_until_it_is_made_again(live, rows, told, folder):
    write_cache(folder, told(EXACT), live, [0], rows.batch)
    (folder / "head.safetensors").unlink()
    with pytest.raises(CacheBroken, match="head"):
        CachedTeacher(folder)
    write_cache(folder, told(EXACT), live, [0], rows.batch)
    CachedTeacher(folder)


def test_another_dtype_than_the_teacher_computes_in_is_refused(live, rows, told, folder):
    with pytest.raises(CacheOfOtherForm, match="float32"):
        write_cache(folder, told(Exact(dtype="bfloat16")), live, [0], rows.batch)


def test_layers_that_the_teacher_does_not_give_are_refused(told):
    with pytest.raises(ConflictingOptions):
        told(Exact(dtype="float32", layers=(2,)))


def test_states_that_are_no_numbers_are_refused_with_their_row(live, rows, told, folder):
    class Broken:
        def targets(self, batch):
            said = live.targets(batch)
            said.hidden[-1, 3] = float("nan")
            return ExactTargets(said.hidden, said.head)

        def __getattr__(self, name):
            return getattr(live, name)

    with pytest.raises(TeacherNotFinite, match="row 5 "):
        write_cache(folder, told(EXACT), Broken(), [4, 5], rows.batch, Making(micro=2))
    assert CachedTeacher(folder).rows == 0


def test_too_small_a_disk_is_told_before_the_teacher_is_asked(live, rows, told, folder, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**9, 0, 20 << 20))
    write_cache(folder, told(EXACT), live, [0], rows.batch)
    wide = told(EXACT).model_copy(update={"hidden": 144 * 200, "teacher": "wide"})
    with pytest.raises(DiskFull):
        write_cache(folder / "wide", wide, live, range(12), rows.batch)
    assert not list((folder / "wide").glob("rows-*"))


@pytest.mark.parametrize(("number", "cause"), [(errno.ENOSPC, DiskFull), (errno.EACCES, NotWritable)])
def test_a_disk_that_becomes_full_loses_nothing_that_stands(cache, live, rows, told, monkeypatch, number, cause):
    def full(_handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tensor_file.atomic_file.__wrapped__.__globals__["os"], "fsync", full)
    monkeypatch.setattr("zoo.distill.teacher.cache.writer.check_writable", lambda _folder: None)
    with pytest.raises(cause):
        write_cache(cache, told(SAMPLED), live, range(9), rows.batch, SMALL)
    monkeypatch.undo()
    assert CachedTeacher(cache).rows == 6
    check_cache(cache)
    assert not list(cache.glob(".rows*"))


def test_two_processes_do_not_make_the_same_share(cache, live, rows, told):
    with FileLock(cache / ".making-0.lock"), pytest.raises(Busy):
        write_cache(cache, told(SAMPLED), live, range(6), rows.batch)


def test_the_teachers_own_head_stands_in_the_manifest(live, rows):
    manifest = manifest_of(live, SAMPLED, data="d", tokenizer="t", length=48)
    assert (manifest.vocabulary, manifest.hidden, manifest.scale, manifest.softcap) == (768, 144, 1.0, None)
    assert manifest.bytes_a_position == 20
