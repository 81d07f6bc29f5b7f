"""What a folder, a file or a repository holds instead of a checkpoint: refused in one paragraph with what to do about it."""

import json
import shutil
import subprocess

import pytest
from support.tiny_checkpoints import tiny

from zoo.checkpoint.forms.lines import GGUF_CODE, MERGE_CODE
from zoo.checkpoint.forms.refusal import foreign_weights
from zoo.checkpoint.plan_folder import virtual_parent
from zoo.errors import AmbiguousFolder

HOSTILE = "it's $(id) `id`;\n<b>\x1b[31m--x"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 14483464192\n"


@pytest.fixture
def refused(minizoo):
    """Run `minizoo eval` on a model; returns what it says, after checking that it is one refusal of that code."""

    def run(model, code):
        ran = minizoo("eval", "--model", model, "--tasks", "nano_prose", "--limit", 1, "--json")
        error = ran.json()
        assert (ran.code, error["code"]) == (2, code), error
        return f"{error['what']} {error['hint']}"

    return run


def write(folder, *names, content=b"x"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def last_words(message, code):
    """The words that a message's line gives to its code, as bash reads them."""
    line = message[message.index("python -c ") :]
    ran = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True)
    words = ran.stdout.split("\0")[:-1]
    assert words[:3] == ["python", "-c", code]
    return words[3:]


@pytest.mark.parametrize("with_config", [True, False])
def test_a_folder_of_gguf_is_refused_with_the_line_that_unpacks_the_best_of_them(with_config, refused, tmp_path):
    folder = write(tmp_path / HOSTILE.replace("/", ""), "a-Q4_K_M.gguf", "b-Q8_0.gguf", "mmproj-f16.gguf")
    if with_config:
        write(folder, "config.json", content=b'{"model_type": "llama"}')
    message = refused(folder, "foreign-weights")
    assert last_words(message, GGUF_CODE) == [str(folder), "b-Q8_0.gguf", "b-Q8_0-hf"]
    assert "tokenizer of the model that it was made from" in message


def test_a_gguf_given_as_a_file_is_refused_with_its_line_and_a_part_with_how_to_join(refused, tmp_path):
    write(tmp_path, "m.gguf", "m-00002-of-00003.gguf")
    assert last_words(refused(tmp_path / "m.gguf", "foreign-weights"), GGUF_CODE) == [str(tmp_path), "m.gguf", "m-hf"]
    assert f"--merge {tmp_path}/m-00001-of-00003.gguf m.gguf" in refused(
        tmp_path / "m-00002-of-00003.gguf", "foreign-weights"
    )


@pytest.mark.parametrize("code", [GGUF_CODE, MERGE_CODE])
def test_the_code_of_a_line_is_python(code):
    compile(code, "line", "exec")


@pytest.mark.parametrize("base", ["owner/base", HOSTILE, None])
def test_an_adapter_is_refused_with_the_line_that_merges_it_into_its_base(base, refused, tmp_path):
    config = {"peft_type": "LORA", "base_model_name_or_path": base}
    write(tmp_path, "adapter_config.json", content=json.dumps(config).encode())
    write(tmp_path, "adapter_model.safetensors")
    message = refused(tmp_path, "adapter-alone")
    named = base or "BASE_MODEL"
    assert last_words(message, MERGE_CODE) == [named, str(tmp_path), named, f"{tmp_path.name}-hf"]
    assert message.isprintable()
    assert refused(tmp_path / "adapter_model.safetensors", "adapter-alone") == message


def test_an_adapter_beside_a_model_is_never_passed_over(refused, tmp_path):
    folder = tiny("llama-tied", tmp_path / "both")
    write(folder, "adapter_config.json", content=b'{"peft_type": "LORA"}')
    assert "both a model and an adapter" in refused(folder, "adapter-alone")


def test_an_adapter_that_cannot_be_merged_says_so(refused, tmp_path):
    write(tmp_path, "adapter_config.json", content=b'{"peft_type": "PREFIX_TUNING"}')
    assert "cannot be merged" in refused(tmp_path, "adapter-alone")


OTHERS = {
    "model.nemo": "convert_nemotron_nemo_to_hf.py --input_name_or_path",
    "consolidated.00.pth": "convert_llama_weights_to_hf.py --input_dir",
    "original/consolidated.00.pth": "convert_llama_weights_to_hf.py --input_dir",
    "tf_model.h5": "from_tf=True",
    "flax_model.msgpack": "from_flax=True",
    "weights/__0_0.distcp": "format_utils dcp_to_torch",
    "global_step9/mp_rank_00_model_states.pt": "deepspeed.utils.zero_to_fp32",
    "model.onnx": "nothing converts it back",
    "rank0.engine": "nothing converts it back",
    "weights.npz": "mlx_lm.convert",
    "model.pt": "copy it as pytorch_model.bin",
    "llama-w4-g128-awq.pt": "copy it as pytorch_model.bin",
    "last.ckpt": "copy it as pytorch_model.bin",
    "pytorch_model.fp16.bin": "A variant",
    "pytorch_model-00001-of-00002.bin": "fetch the index",
    "model.tar.gz": "Unpack it",
}


@pytest.mark.parametrize("name", OTHERS)
def test_each_other_form_is_refused_with_what_converts_it(name, refused, tmp_path):
    write(tmp_path, "config.json", content=b'{"model_type": "llama"}')
    write(tmp_path, name, "training_args.bin", "optimizer.bin", "scheduler.pt", "rng_state.pth")
    message = refused(tmp_path, "foreign-weights")
    assert name in message
    assert OTHERS[name] in message


def test_a_trainers_own_files_are_no_weights(refused, tmp_path):
    write(tmp_path, "config.json", content=b'{"model_type": "llama"}')
    write(tmp_path, "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "scaler.pt")
    refused(tmp_path, "weights-missing")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"])
def test_a_file_of_a_checkpoint_is_answered_with_its_folder(name, refused, tmp_path):
    folder = write(tmp_path / "a b", name)
    assert f"--model '{folder}'" in refused(folder / name, "file-missing")


def test_a_trainers_folder_is_answered_with_the_checkpoints_in_it(refused, tmp_path):
    write(tmp_path, "checkpoint-100/config.json", "checkpoint-50/config.json", "checkpoint-50/pytorch_model.bin")
    message = refused(tmp_path, "file-missing")
    assert "holds some: 'checkpoint-50', 'checkpoint-100'" in message
    assert message.endswith(f"--model {tmp_path}/checkpoint-100")


def test_a_repository_is_judged_by_its_names(tmp_path):
    assert "hf download o/m-GGUF" not in foreign_weights(["x.gguf"], "o/m-GGUF", hub=True).hint
    assert foreign_weights(["flax_model.msgpack"], "o/m", hub=True).hint.startswith("Fetch it (`hf download o/m ")
    assert foreign_weights(["README.md", "modeling.py"], "o/m", hub=True) is None


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "pytorch_model.bin"])
def test_a_pointer_of_git_lfs_is_told_from_a_broken_file(name, refused, tmp_path):
    folder = tiny("llama-tied", tmp_path / "model")
    if name == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
    write(folder, name, content=POINTER.encode())
    assert "git lfs pull" in refused(folder, "pointer-file")


@pytest.mark.parametrize("unfinished", ["model.safetensors.incomplete", ".cache/huggingface/download/x1.incomplete"])
def test_a_download_that_was_broken_off_is_told_with_how_it_goes_on(unfinished, refused, tmp_path):
    folder = tiny("llama-tied", tmp_path / "model", shard="40KB")
    next(folder.glob("model-*.safetensors")).unlink()
    write(folder, unfinished)
    assert "goes on from there" in refused(folder, "partly-fetched")


def test_a_plan_on_a_parent_that_also_holds_weights_is_refused(refused, tmp_path):
    parent = tiny("llama-tied", tmp_path / "parent")
    folder = shutil.copytree(parent, tmp_path / "both")
    write(folder, "plan.json", content=b"{}")
    write(folder, "minizoo.json", content=json.dumps({"parent_folder": str(parent)}).encode())
    assert "weights of its own (model.safetensors)" in refused(folder, "ambiguous-folder")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(AmbiguousFolder):
        virtual_parent(folder)
