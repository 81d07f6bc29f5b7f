"""`minizoo show FOLDER`: what is in a local folder, in whatever form, without converting or running it."""

import json
import shutil

import pytest
from support.quantised import auto_fp8
from support.records import record
from support.tiny_checkpoints import edit_config, tiny

from harness.records.files import write_record
from zoo.checkpoint.locate import open_folder
from zoo.registry.loader import load_registry


@pytest.fixture
def folder(tmp_path):
    """A tiny Llama with the nano teacher's tokenizer."""
    teacher = load_registry().models["nano-teacher"].weights_folder
    made = tiny("llama-tied", tmp_path / "mine")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(teacher / name, made / name)
    return made


def facts(minizoo, folder, *more):
    ran = minizoo("show", folder, "--json", *more)
    assert ran.code == 0, ran.err
    return ran.json()


def test_a_folder_is_shown_with_its_dimensions_and_what_is_stored(minizoo, folder):
    told = facts(minizoo, folder)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    assert (told["name"], told["hf_class"], told["head"]) == ("mine", "LlamaForCausalLM", "the embedding table")
    assert (told["stored_dtypes"], told["context"]) == ("float32", 64)
    assert told["stored_bytes"] == 4 * told["stored_parameters"] < size < told["stored_bytes"] + 10_000
    assert told["dimensions"]["head_dim"] == 12
    assert told["tokenizer"] == ["tokenizer.json", "tokenizer_config.json"]
    text = minizoo("show", folder).out
    assert all(part in text for part in ("float32", "64 tokens", "chat template", "by transformers' own class"))


def test_a_registry_name_is_the_entry_and_a_path_of_that_name_the_folder(minizoo, folder, monkeypatch):
    shutil.copytree(folder, folder.parent / "minitron-8b")
    monkeypatch.chdir(folder.parent)
    assert minizoo("show", "minitron-8b", "--json").json()["display"] == "Minitron-8B-Base"
    assert facts(minizoo, "./minitron-8b")["stored_dtypes"] == "float32"


def test_quantised_weights_are_counted_by_their_files_and_said_not_to_run(minizoo, tmp_path):
    told = facts(minizoo, auto_fp8(tmp_path / "fp8"))
    assert (told["quantised"], told["stored_parameters"]) == ("fp8", None)
    assert told["stored_dtypes"].startswith("float8 (")
    assert "AutoFP8" in told["cannot_run"]
    (point,) = minizoo("bench", tmp_path / "fp8", "--dry-run", "--json").json()["points"]
    assert told["stored_bytes"] < point["memory"] < 2 * told["parameters"] + point["memory"] - told["stored_bytes"]


def test_eval_and_bench_refuse_what_transformers_would_run_without_its_scales(minizoo, tmp_path):
    folder = auto_fp8(tmp_path / "fp8")
    for command in (["eval", "--model", folder], ["bench", folder]):
        ran = minizoo(*command, "--results", tmp_path / "results", "--json")
        assert (ran.code, ran.json()["code"]) == (2, "unsupported-dtype")
        assert ran.err.count("\n") <= 1
    assert not list((tmp_path / "results").rglob("*.json"))


def _pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _gguf(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF")


def _adapter(folder):
    _gguf(folder)
    (folder / "model.gguf").unlink()
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "a/b"}))
    (folder / "adapter_model.safetensors").write_bytes(b"")


def _half(folder):
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-8])


FORMS = {
    "pickled": (_pickled, "pickled", "converted"),
    "GGUF": (_gguf, "no checkpoint", "GGUF"),
    "adapter": (_adapter, "no checkpoint", "is an adapter"),
    "cut short": (_half, "no whole checkpoint", "where its header says"),
    "unknown class": (lambda f: edit_config(f, model_type="nobody_knows"), "safetensors", None),
}


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_are_described_and_left_as_they_are(minizoo, folder, form):
    change, called, words = FORMS[form]
    change(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    told = facts(minizoo, folder)
    assert told["form"] == called
    assert words is None or words in " ".join(told["notes"])
    assert minizoo("show", folder).code == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_what_is_no_model_is_refused(minizoo, tmp_path):
    (tmp_path / "empty").mkdir()
    assert minizoo("show", tmp_path / "empty", "--json").json()["code"] == "config-missing"
    ran = minizoo("show", "somebody/some-model", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "unknown-model")
    assert "hf download somebody/some-model" in ran.err or "hf download" in ran.json()["hint"]
    assert minizoo("show", tmp_path / "empty", "--check", "hub", "--json").json()["code"] == "conflicting-options"


def test_a_hostile_name_is_shown_as_text(minizoo, folder):
    hostile = folder.rename(folder.parent / "a\x1b[31m <b>'; rm -rf x")
    edit_config(hostile, model_type="x\x1b[2J", architectures=["\x1b]0;y\x07"])
    ran = minizoo("show", hostile)
    assert ran.code == 0
    assert "\x1b" not in ran.out + ran.err


def test_what_was_measured_of_a_folder_is_shown_by_its_name_and_by_its_weights(minizoo, folder, tmp_path):
    """A copy has the same weights under another name, and a child of the same name has others."""
    results, digest = tmp_path / "results", open_folder(folder).weights_digest()
    subject = record().subject.model_copy(update={"id": "mine", "kind": "folder", "weights_digest": digest})
    write_record(results, record(subject=subject))
    copy = shutil.copytree(folder, tmp_path / "copy")
    child = tiny("llama-tied", tmp_path / "elsewhere" / "mine", seed=1)
    for place, same in ((folder, True), (copy, True), (child, False)):
        measured = facts(minizoo, place, "--results", results)["measured"]
        assert {(row["task"], row["same_weights"]) for row in measured} == {("winogrande", same)}
    assert "others" in minizoo("show", child, "--results", results).out
