"""Pickled weights: converted once, to the same numbers, whatever stops it."""

import json
import shutil
import signal
import subprocess
import sys
import threading

import pytest
import torch
from safetensors.torch import load_file
from support.paths import ROOT
from support.tiny_checkpoints import tiny

from zoo.checkpoint.locate import locate
from zoo.checkpoint.pickled import conversion


def counted(cache):
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
    return counted(cache), list(cache.glob(".*.partial/model.safetensors"))


def test_a_conversion_that_is_killed_leaves_nothing_that_counts(killed):
    there, begun = killed
    assert there == []
    assert len(begun) == 1


def test_after_a_conversion_that_was_killed_the_same_command_makes_it_once_and_scores_as_safetensors_do(
    stories, stories_bin, killed, cache, data, minizoo, tmp_path, monkeypatch
):
    before = sorted(path.name for path in stories_bin.iterdir())
    words = ["--tasks", "nano_prose", "--limit", "1", "--data", data, "--json", "--results"]
    ran = minizoo("eval", "--model", stories_bin, *words, tmp_path / "r")
    assert ran.code == 0, ran.err
    assert ran.err.count("was converted to safetensors") == 1
    assert not list(cache.glob(".*.partial"))
    (subject,) = [json.loads(path.read_text())["subject"] for path in (tmp_path / "r").rglob("record.json")]
    assert subject["source"] == str(stories_bin)
    assert subject["weights_digest"] == locate(str(stories)).weights_digest()  # the bytes of save_pretrained
    assert subject["converted_from"] == locate(str(stories_bin)).converted_from
    assert sorted(path.name for path in stories_bin.iterdir()) == before

    monkeypatch.setattr(conversion, "list_tensors", not_again)
    again, plain = (minizoo("eval", "--model", model, *words, tmp_path / "again") for model in (stories_bin, stories))
    assert "converted" not in again.err
    assert values(ran) == values(again) == values(plain)


def not_again(files):
    raise AssertionError(f"{files} would be unpickled")


def values(ran):
    rows = [
        (record["task"], row["metric"], row["value"]) for record in ran.json()["records"] for row in record["scores"]
    ]
    assert rows
    return rows


def test_another_tokenizer_beside_the_same_weights_is_the_one_that_is_run(stories_bin, cache, monkeypatch, tmp_path):
    folder = shutil.copytree(stories_bin, tmp_path / "copy")
    first = locate(str(stories_bin))
    monkeypatch.setattr(conversion, "list_tensors", not_again)
    assert locate(str(folder)).folder == first.folder
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert (locate(str(folder)).folder / "chat_template.jinja").is_file()
    assert locate(str(folder)).weights_digest() == first.weights_digest()


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
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
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


def test_what_was_converted_and_damaged_since_is_made_again(stories_bin, cache, monkeypatch):
    weights = (locate(str(stories_bin)).folder / "model.safetensors").resolve()
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    monkeypatch.setattr(conversion, "list_tensors", not_again)
    with pytest.raises(AssertionError, match="would be unpickled"):
        locate(str(stories_bin))
    assert not weights.exists()
