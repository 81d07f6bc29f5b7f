"""Pickled weights that are not converted: what is refused runs nothing and leaves nothing, and what only looks opens none."""

import os
import shutil
import zipfile

import pytest
import torch

from zoo.checkpoint.locate import locate, outline
from zoo.checkpoint.pickled import conversion
from zoo.checkpoint.pickled.conversion import pickled_weights
from zoo.checkpoint.pickled.file_digests import known_sha256
from zoo.checkpoint.pickled.sources import Sources
from zoo.errors import DiskFull, InvalidFile, PickleUnreadable, WeightsMissing, WeightsTruncated

BIN, BIN_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"


class Hostile:
    """Runs a command where it is unpickled without care."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_pickle_that_calls_for_code_is_refused_and_nothing_of_it_runs(stories_bin, cache, minizoo, tmp_path):
    folder = shutil.copytree(stories_bin, tmp_path / "hostile")
    torch.save({"a": torch.zeros(2), "b": Hostile(f"touch {tmp_path}/ran")}, folder / BIN)
    ran = minizoo("prune", "--parent", folder, "--target", "drop=3", "--out", tmp_path / "child", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "unsafe-pickle")
    assert "'posix.system'" in ran.err
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "child").exists()
    assert not [path for path in cache.iterdir() if path.is_dir() and path.name != "digests"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def old_form(path):
    torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)


def packed_anew(path):
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)


NOT_READ = {
    "cut short": (cut, WeightsTruncated, "cut short or broken"),
    "empty": (lambda path: path.write_bytes(b""), WeightsTruncated, "is empty"),
    "a page of text": (lambda path: path.write_text("<html>502</html>"), PickleUnreadable, "is text"),
    "before torch 1.6": (old_form, PickleUnreadable, "torch before 1.6.*python -c 'import sys, torch"),
    "a plain pickle": (lambda path: path.write_bytes(b"\x80\x04\x95abc"), PickleUnreadable, "plain pickle"),
    "compressed": (packed_anew, PickleUnreadable, "packed anew"),
    "an archive": (
        lambda path: zipfile.ZipFile(path, "w").writestr("a/b", "c"),
        PickleUnreadable,
        "not one of torch.save",
    ),
    "bytes": (lambda path: path.write_bytes(b"\xff" * 64), PickleUnreadable, "not what torch.save writes"),
}


@pytest.mark.parametrize("case", NOT_READ)
def test_what_is_no_file_of_torch_save_is_refused_before_anything_is_opened(case, stories_bin, no_process, tmp_path):
    damage, cause, said = NOT_READ[case]
    folder = shutil.copytree(stories_bin, tmp_path / "copy")
    damage(folder / BIN)
    with pytest.raises(cause, match=said):
        outline(str(folder))


def test_a_shard_that_is_gone_and_an_index_of_files_elsewhere_are_refused(stories_bin, no_process, tmp_path):
    folder = shutil.copytree(stories_bin, tmp_path / "copy")
    (folder / BIN).rename(folder / "a.bin")
    (folder / BIN_INDEX).write_text('{"metadata": {}, "weight_map": {"a": "a.bin", "b": "b.bin"}}')
    with pytest.raises(WeightsMissing, match=r"lacks 1 of the 2 weight files .* first 'b\.bin'"):
        outline(str(folder))
    (folder / BIN_INDEX).write_text('{"metadata": {}, "weight_map": {"a": "../x.bin"}}')
    with pytest.raises(InvalidFile, match="which is no bin file of its folder"):
        outline(str(folder))


def test_an_outline_and_show_unpickle_nothing(stories_bin, minizoo, no_process):
    assert outline(str(stories_bin)).weight_bytes == (stories_bin / BIN).stat().st_size
    ran = minizoo("show", "nano-teacher", "--check", stories_bin)
    assert f"Its weights are {BIN}, which is not opened" in ran.out


def test_safetensors_beside_pickled_weights_are_what_is_read(stories, stories_bin, no_process, tmp_path):
    folder = shutil.copytree(stories_bin, tmp_path / "both")
    shutil.copyfile(stories / "model.safetensors", folder / "model.safetensors")
    assert pickled_weights(folder) is None
    assert locate(str(folder)).converted_from is None


def test_room_on_the_disk_is_looked_at_before_anything_is_written(stories_bin, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(conversion.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 1000))
    monkeypatch.setattr(conversion, "list_tensors", lambda files: [])
    monkeypatch.setattr(conversion, "sources", lambda *_: Sources([]))
    with pytest.raises(DiskFull, match="XDG_CACHE_HOME"):
        locate(str(stories_bin))
    made = {path.name for path in (tmp_path / "minizoo" / "converted").iterdir() if path.is_dir()}
    assert made <= {"digests"}  # kept only of files that had settled


def test_a_digest_is_computed_again_where_a_file_changed(tmp_path):
    file, read = tmp_path / "file", []
    file.write_bytes(b"one")
    os.utime(file, ns=(1, 1))
    first = known_sha256(file, tmp_path / "cache", read.append)
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert known_sha256(file, tmp_path / "cache", read.append) != first
