"""Pickled weights: converted once, to the same numbers, whatever stops it; a pickle that is more than weights runs nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from support.paths import ROOT
from support.tiny_checkpoints import tiny

from zoo.checkpoint.locate import locate, outline
from zoo.checkpoint.pickled import conversion
from zoo.checkpoint.pickled.conversion import pickled_weights
from zoo.checkpoint.pickled.file_digests import known_sha256
from zoo.checkpoint.pickled.sources import Sources
from zoo.errors import DiskFull, PickleUnreadable, WeightsMissing, WeightsTruncated

BIN, BIN_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
BESIDE = ("training_args.bin", "optimizer.bin", "scheduler.pt")
WORDS = ["--tasks", "nano_prose", "--limit", "1"]


class Ran(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """minizoo's cache of this module, empty at first."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    yield folder / "minizoo" / "converted"
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="module")
def stories_bin(stories, tmp_path_factory):
    """The tiny trained Llama, its weights pickled, with a trainer's files beside them."""
    folder = tmp_path_factory.mktemp("models") / "stories-bin"
    shutil.copytree(stories, folder)
    folder.chmod(0o755)
    torch.save(load_file(folder / "model.safetensors"), folder / BIN)
    (folder / "model.safetensors").unlink()
    for name in BESIDE:
        (folder / name).write_bytes(b"not weights")
    return folder


@pytest.fixture
def no_process(monkeypatch):
    """No pickle is opened any more."""

    def opened(files):
        raise AssertionError(f"{files} would be unpickled")

    monkeypatch.setattr(conversion, "list_tensors", opened)


def made(cache):
    """Names of what counts in the cache."""
    return sorted(path.name for path in cache.iterdir() if not path.name.startswith(".") and path.name != "digests")


@pytest.fixture(scope="module")
def killed(stories_bin, cache):
    """A conversion that was killed in the midst; what counted in the cache afterwards, and what was begun."""
    script = (
        "import sys, time\n"
        "from zoo.checkpoint.locate import locate\n"
        "def stop(step, done, total):\n"
        "    if step.startswith('converting'): print('there', flush=True); time.sleep(600)\n"
        "locate(sys.argv[1], stop)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(stories_bin)], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    with process.stdout as out:
        assert out.readline() == b"there\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    return made(cache), list(cache.glob(".*.partial/model.safetensors"))


@pytest.fixture(scope="module")
def first_run(stories_bin, data, killed, tmp_path_factory):
    """The same command again after the kill: what it printed, and its results."""
    results = tmp_path_factory.mktemp("results")
    words = [*WORDS, "--data", str(data), "--results", str(results), "--json"]
    command = [sys.executable, "-m", "minizoo", "eval", "--model", str(stories_bin), *words]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return Ran(0, ran.stdout, ran.stderr), results


def test_a_conversion_that_is_killed_leaves_nothing_that_counts_and_the_next_run_makes_it(killed, first_run, cache):
    counted, begun = killed
    assert counted == []
    assert len(begun) == 1
    assert not list(cache.glob(".*.partial"))
    assert first_run[0].err.count("was converted to safetensors") == 1


def test_pickled_weights_score_as_safetensors_do_and_are_converted_once(
    stories, stories_bin, first_run, data, minizoo, no_process, tmp_path
):
    ran, results = first_run
    words = [*WORDS, "--data", data, "--results", tmp_path / "r", "--json"]
    again, plain = (minizoo("eval", "--model", model, *words) for model in (stories_bin, stories))
    assert "converted" not in again.err
    assert values(ran) == values(again) == values(plain)
    (subject,) = [json.loads(path.read_text())["subject"] for path in results.rglob("record.json")]
    assert subject["source"] == str(stories_bin)
    assert subject["weights_digest"] == locate(str(stories)).weights_digest()  # the bytes of save_pretrained
    assert subject["converted_from"] == locate(str(stories_bin)).converted_from
    assert {path.name for path in stories_bin.iterdir()} == {path.name for path in stories.iterdir()} - {
        "model.safetensors"
    } | {BIN, *BESIDE}


def values(ran):
    rows = [
        (record["task"], row["metric"], row["value"]) for record in ran.json()["records"] for row in record["scores"]
    ]
    assert rows
    return rows


def test_another_tokenizer_beside_the_same_weights_is_the_one_that_is_run(stories_bin, first_run, no_process, tmp_path):
    folder = shutil.copytree(stories_bin, tmp_path / "copy")
    first = locate(str(stories_bin))
    assert locate(str(folder)).folder == first.folder
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert (locate(str(folder)).folder / "chat_template.jinja").is_file()
    assert locate(str(folder)).weights_digest() == first.weights_digest()


def test_damage_to_what_was_converted_is_seen_and_made_good(stories_bin, first_run, monkeypatch):
    listed = []
    real = conversion.list_tensors
    monkeypatch.setattr(conversion, "list_tensors", lambda files: listed.append(files) or real(files))
    first = locate(str(stories_bin))
    weights = (first.folder / "model.safetensors").resolve()
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    assert locate(str(stories_bin)).weights_digest() == first.weights_digest()
    assert weights.read_bytes() == content
    assert len(listed) == 1


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A model in two pickled shards, every kind of view among its tensors, all names as DataParallel has them."""
    folder = tiny("llama-tied", tmp_path_factory.mktemp("models") / "odd", dtype=torch.bfloat16)
    tensors = load_file(folder / "model.safetensors")
    saved = dict(tensors)
    for at in range(4):
        stem = f"model.layers.{at}"
        fused = torch.cat([tensors[f"{stem}.mlp.gate_proj.weight"], tensors[f"{stem}.mlp.up_proj.weight"]])
        saved[f"{stem}.mlp.gate_proj.weight"], saved[f"{stem}.mlp.up_proj.weight"] = fused.chunk(2)
        saved[f"{stem}.mlp.down_proj.weight"] = tensors[f"{stem}.mlp.down_proj.weight"].t().contiguous().t()
        wide = torch.stack([tensors[f"{stem}.self_attn.q_proj.weight"]] * 2, dim=2)
        saved[f"{stem}.self_attn.q_proj.weight"] = wide[:, :, 1]
        saved[f"{stem}.input_layernorm.weight"] = torch.nn.Parameter(tensors[f"{stem}.input_layernorm.weight"])
        saved[f"{stem}.self_attn.rotary_emb.inv_freq"] = torch.arange(3, dtype=torch.float32)
    saved["lm_head.weight"] = saved["model.embed_tokens.weight"]
    saved = {f"module.{name}": tensor for name, tensor in saved.items()}
    names = list(saved)
    halves = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
    halves["pytorch_model-00001-of-00002.bin"] += ["module.lm_head.weight", "module.model.embed_tokens.weight"]
    halves["pytorch_model-00002-of-00002.bin"] = [
        name
        for name in halves["pytorch_model-00002-of-00002.bin"]
        if name not in halves["pytorch_model-00001-of-00002.bin"]
    ]
    for file, mine in halves.items():
        torch.save({name: saved[name] for name in mine}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, mine in halves.items() for name in mine}}
    (folder / BIN_INDEX).write_text(json.dumps(index))
    (folder / "model.safetensors").rename(folder / "expected")
    return folder


def test_shards_and_views_become_the_same_tensors_once_for_two_at_a_time(odd, cache, monkeypatch):
    monkeypatch.setattr(conversion, "SHARD_BYTES", 40_000)
    listed, found = [], []
    real = conversion.list_tensors
    monkeypatch.setattr(conversion, "list_tensors", lambda files: listed.append(files) or real(files))
    threads = [threading.Thread(target=lambda: found.append(locate(str(odd)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listed) == 1
    assert found[0].folder == found[1].folder
    files = sorted(found[0].folder.glob("*.safetensors"))
    assert len(files) > 2
    tensors = {name: tensor for file in files for name, tensor in load_file(file).items()}
    expected = load_file(odd / "expected")
    assert {name for name in tensors if not name.endswith("inv_freq")} == set(expected)  # the tied head once
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    index = json.loads((found[0].folder / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(tensors)
    assert set(index["weight_map"].values()) == {file.name for file in files}


class Hostile:
    """Runs a command where it is unpickled without care."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_pickle_that_calls_for_code_is_refused_and_nothing_of_it_runs(stories_bin, cache, minizoo, tmp_path):
    folder = shutil.copytree(stories_bin, tmp_path / "hostile")
    torch.save({"a": torch.zeros(2), "b": Hostile(f"touch {tmp_path}/ran")}, folder / BIN)
    before = made(cache)
    ran = minizoo("eval", "--model", folder, "--tasks", "nano_prose", "--limit", 1, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "unsafe-pickle")
    assert "'posix.system'" in ran.err
    assert not (tmp_path / "ran").exists()
    assert made(cache) == before


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


def test_a_shard_that_is_gone_and_an_index_of_files_elsewhere_are_refused(odd, no_process, tmp_path):
    folder = shutil.copytree(odd, tmp_path / "copy")
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(WeightsMissing, match=r"lacks 1 of the 2 weight files .* first 'pytorch_model-00002"):
        outline(str(folder))
    (folder / BIN_INDEX).write_text('{"metadata": {}, "weight_map": {"a": "../x.bin"}}')
    with pytest.raises(Exception, match="which is no bin file of its folder"):
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
    assert made(tmp_path / "minizoo" / "converted") == []


def test_a_digest_is_computed_again_where_a_file_changed(tmp_path):
    file, read = tmp_path / "file", []
    file.write_bytes(b"one")
    os.utime(file, ns=(1, 1))
    first = known_sha256(file, tmp_path / "cache", read.append)
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert known_sha256(file, tmp_path / "cache", read.append) != first
