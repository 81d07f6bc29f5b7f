"""Which files are a checkpoint: those that transformers reads, for digest, eval and prune alike; the rest is told."""

import json
import shutil
import struct

import pytest
import torch
from support.tiny_checkpoints import edit_config, load, same_weights, tiny
from transformers import AutoModelForCausalLM

from backends.hf.loading import load_pretrained
from backends.pruned.backend import load_pruned
from zoo.checkpoint.locate import open_folder
from zoo.checkpoint.safetensors import header_bytes, read_header
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import InvalidConfig, InvalidFile, WeightsMismatch, WeightsMissing, WeightsTruncated
from zoo.prune.parent import open_parent
from zoo.prune.selection import keep_layers
from zoo.prune.write.writer import write_child

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """A model in one file."""
    return tiny("llama-tied", tmp_path_factory.mktemp("saves") / "newer", seed=1)


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """Another save of the same shape, in shards with an index."""
    return tiny("llama-tied", tmp_path_factory.mktemp("saves") / "older", shard="40KB", seed=2)


@pytest.fixture
def both(newer, older, tmp_path):
    """The newer save in a folder where the older one's index and shards were left."""
    shutil.copytree(older, tmp_path / "both")
    shutil.copy(newer / WHOLE, tmp_path / "both")
    return tmp_path / "both"


def copy_of(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def index_of(folder):
    return json.loads((folder / INDEX).read_text())


def rewrite_index(folder, **changes):
    (folder / INDEX).write_text(json.dumps({**index_of(folder), **changes}))


def shards(folder):
    return sorted(path.name for path in folder.glob("model-*.safetensors"))


def write_tensors(path, **tensors):
    """A safetensors file of fp32 vectors, every value of each the given one."""
    shapes = dict.fromkeys(tensors, ("F32", (2,)))
    path.write_bytes(header_bytes(shapes) + b"".join(struct.pack("<2f", value, value) for value in tensors.values()))


def transformers_up_proj(folder):
    return load(folder).model.layers[0].mlp.up_proj.weight


def child_up_proj(folder, out):
    parent = open_parent(folder)
    write_child(keep_layers(parent.identity, [0, 1, 2]), parent, out)
    return transformers_up_proj(out)


def test_prune_digest_and_eval_read_the_save_that_transformers_reads(both, newer, tmp_path, minizoo):
    assert torch.equal(transformers_up_proj(both), transformers_up_proj(newer))
    assert open_parent(both).digest == open_parent(newer).digest
    assert open_folder(both).weights_digest() == open_folder(newer).weights_digest()
    ran = minizoo("prune", "--parent", both, "--target", "drop=3", "--out", tmp_path / "child")
    assert ran.code == 0
    assert torch.equal(transformers_up_proj(tmp_path / "child"), transformers_up_proj(newer))
    pruned = load_pruned(open_folder(both), "cpu", "auto")
    assert torch.equal(pruned.model.layers[0].mlp.up_proj.weight, transformers_up_proj(newer))


def test_which_of_two_saves_is_read_is_told_every_time(stories, older, data, minizoo, tmp_path):
    both = shutil.copytree(stories, tmp_path / "both")
    both.chmod(0o755)
    for name in (INDEX, *shards(older)):
        shutil.copy(older / name, both)
    words = ["--tasks", "nano_prose", "--limit", 1, "--data", data, "--results", tmp_path / "r", "--json"]
    for ran in (
        minizoo("prune", "--parent", both, "--target", "drop=3", "--out", tmp_path / "child", "--json"),
        minizoo("eval", "--model", both, *words),
        minizoo("show", "nano-teacher", "--check", both, "--json"),
    ):
        told = ran.err + "".join(ran.json().get("told", []))
        assert f"Of {both} the weights are {WHOLE}, as transformers takes them; not read: {INDEX}" in told
    assert minizoo("show", "nano-teacher", "--check", both).out.count(INDEX) == 1


def test_one_save_is_nothing_to_tell(newer, older):
    assert weight_files(newer).told is None
    assert weight_files(older).told is None


def test_shards_are_read_in_the_order_of_the_index_and_no_other_file(older, tmp_path):
    folder = copy_of(older, tmp_path)
    (folder / "original").mkdir()
    (folder / "importance").mkdir()
    others = ["adapter_model.safetensors", "consolidated.safetensors", "original/model.safetensors"]
    for name in [*others, "importance/scores.safetensors"]:
        shutil.copy(folder / shards(folder)[0], folder / name)
    files = weight_files(folder)
    assert [path.name for path in files.read] == shards(older)
    assert files.unread == tuple(others)
    assert open_folder(folder).weights_digest() == open_folder(older).weights_digest()
    assert torch.equal(child_up_proj(folder, tmp_path / "child"), transformers_up_proj(older))


def test_links_of_the_hubs_cache_are_followed(older, tmp_path):
    (tmp_path / "snapshot").mkdir()
    for path in older.iterdir():
        (tmp_path / "snapshot" / path.name).symlink_to(path)
    assert open_folder(tmp_path / "snapshot").weights_digest() == open_folder(older).weights_digest()


def test_a_file_that_config_json_names_is_read_as_transformers_reads_it(both, older):
    edit_config(both, transformers_weights=INDEX)
    assert torch.equal(transformers_up_proj(both), transformers_up_proj(older))
    assert [path.name for path in weight_files(both).read] == shards(older)


def test_a_child_has_its_weights_under_the_usual_name(newer, tmp_path):
    folder = copy_of(newer, tmp_path)
    (folder / WHOLE).rename(folder / "own.safetensors")
    edit_config(folder, transformers_weights="own.safetensors")
    assert torch.equal(child_up_proj(folder, tmp_path / "child"), transformers_up_proj(newer))


NOT_FOUND = {
    "shards without an index": (lambda folder: (folder / INDEX).unlink(), "fetch model.safetensors.index.json"),
    "a variant alone": (lambda folder: keep_only(folder, "model.fp16.safetensors"), "variant"),
    "another name": (lambda folder: keep_only(folder, "weights.safetensors"), "rename it to model.safetensors"),
    "an adapter alone": (lambda folder: keep_only(folder, "adapter_model.safetensors"), "merge it"),
    "weights of torch": (lambda folder: keep_only(folder, "pytorch_model.bin"), "convert them once"),
    "a link to nothing": (lambda folder: keep_only(folder, "gone"), "link to a file that is not there"),
    "a shard that is gone": (lambda folder: (folder / shards(folder)[1]).unlink(), "lacks 1 of the"),
}


def keep_only(folder, name):
    first = shards(folder)[0]
    if name == "gone":
        (folder / WHOLE).symlink_to(folder / "nowhere")
    else:
        shutil.copy(folder / first, folder / name)
    for path in [*(folder / shard for shard in shards(folder)), folder / INDEX]:
        path.unlink()


@pytest.mark.parametrize("case", NOT_FOUND)
def test_weights_that_transformers_does_not_find_are_refused_with_what_to_do(case, older, tmp_path):
    damage, said = NOT_FOUND[case]
    folder = copy_of(older, tmp_path)
    damage(folder)
    with pytest.raises(OSError, match=r"model\.safetensors|No such file"):
        AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
    for opened in (open_folder, open_parent):
        with pytest.raises(WeightsMissing, match=said):
            opened(folder)


BROKEN_INDEX = {
    "outside the folder": {"weight_map": {"a": "../older/model.safetensors"}},
    "by an absolute path": {"weight_map": {"a": "/etc/model.safetensors"}},
    "pickled": {"weight_map": {"a": "pytorch_model.bin"}},
    "nothing": {"weight_map": {}},
    "numbers": {"weight_map": {"a": 3}},
    "a list": {"weight_map": ["a"]},
}


@pytest.mark.parametrize("case", BROKEN_INDEX)
def test_an_index_of_anything_but_safetensors_of_its_folder_is_refused(case, older, tmp_path):
    folder = copy_of(older, tmp_path)
    rewrite_index(folder, **BROKEN_INDEX[case])
    for opened in (open_folder, open_parent):
        with pytest.raises(InvalidFile, match=INDEX):
            opened(folder)


def test_an_index_that_transformers_cannot_read_is_refused(older, tmp_path):
    folder = copy_of(older, tmp_path)
    content = index_of(folder)
    (folder / INDEX).write_text(json.dumps({"weight_map": content["weight_map"]}))
    with pytest.raises(KeyError, match="metadata"):
        load(folder)
    with pytest.raises(InvalidFile, match="metadata"):
        open_folder(folder)


@pytest.mark.parametrize("named", ["../x.safetensors", "model.bin", 3, "/x.safetensors.index.json"])
def test_a_config_that_names_weights_elsewhere_is_refused(named, newer, tmp_path):
    folder = copy_of(newer, tmp_path)
    edit_config(folder, transformers_weights=named)
    with pytest.raises(InvalidConfig, match="transformers_weights"):
        open_folder(folder)


def test_a_tensor_in_two_shards_with_other_values_is_refused_and_with_the_same_taken(older, tmp_path):
    folder = copy_of(older, tmp_path)
    write_tensors(folder / "a.safetensors", once=1.0, twice=2.0)
    write_tensors(folder / "b.safetensors", twice=2.0)
    rewrite_index(folder, weight_map={"once": "a.safetensors", "twice": "b.safetensors"})
    open_folder(folder)
    write_tensors(folder / "b.safetensors", twice=3.0)
    with pytest.raises(WeightsMismatch, match=r"twice is in a\.safetensors and, with other values, in b\.safetensors"):
        open_folder(folder)


def test_a_tensor_that_no_shard_holds_is_missing_for_eval_and_prune(older, tmp_path):
    folder = copy_of(older, tmp_path)
    index = index_of(folder)
    lost = index["weight_map"]["model.layers.3.mlp.up_proj.weight"]
    rewrite_index(folder, weight_map={name: file for name, file in index["weight_map"].items() if file != lost})
    for opened in (open_parent, lambda _: load_pretrained(open_folder(folder), "cpu", "auto")):
        with pytest.raises(WeightsMissing, match="lacks"):
            opened(folder)


def test_a_whole_file_that_is_cut_short_is_refused_although_good_shards_lie_beside_it(both, caplog):
    content = (both / WHOLE).read_bytes()
    (both / WHOLE).write_bytes(content[:-10])
    with pytest.raises(WeightsTruncated, match=WHOLE):
        open_folder(both)
    assert INDEX in caplog.text  # what is read, and what is not


def test_a_distributed_save_is_refused_wherever_it_lies(newer, tmp_path):
    folder = copy_of(newer, tmp_path)
    write_tensors(folder / "shard-00000-model-00001-of-00001.safetensors", a=1.0)
    with pytest.raises(WeightsMissing, match="distributed save"):
        open_folder(folder)


def test_the_digest_of_an_ordinary_folder_is_that_of_086f72e(stories, tmp_path):
    """Records, baselines and resumes name it. The values were computed by that commit."""
    assert open_folder(stories).weights_digest() == GOLDEN["stories"]
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    write_tensors(tmp_path / "b.safetensors", one=1.0)
    write_tensors(tmp_path / "a.safetensors", two=2.0)
    (tmp_path / INDEX).write_text('{"metadata": {}, "weight_map": {"one": "b.safetensors", "two": "a.safetensors"}}')
    assert open_folder(tmp_path).weights_digest() == GOLDEN["sharded"]
    for name in ("a.safetensors", "b.safetensors", INDEX):
        (tmp_path / name).unlink()
    write_tensors(tmp_path / WHOLE, one=1.0)
    assert open_folder(tmp_path).weights_digest() == GOLDEN["whole"]


GOLDEN = {
    "stories": "539aeb1255dbfaa56863d78cfe0262f555654b41fbc6dfacbc9e735d1e14407c",
    "sharded": "5ffa75024148b917f706579ec07cdc5ccce7477ad928d8007625e193c9c17886",
    "whole": "dd1f92c7d2e740990c51826aa74966eddb6bb1f8b6d45f0ddebafcb8ff8cbeb6",
}


def test_a_child_that_keeps_everything_is_its_parent(both, newer, tmp_path):
    """A child that keeps everything is the parent, so nothing came from the stale shards."""
    parent = open_parent(both)
    write_child(keep_layers(parent.identity, range(4)), parent, tmp_path / "child")
    assert same_weights(load(tmp_path / "child"), load(newer))
    assert "lm_head.weight" not in read_header(tmp_path / "child" / WHOLE)
