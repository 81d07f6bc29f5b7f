"""Every argument that HFLM takes is honoured, said to change nothing, or refused with the way out; none is passed over."""

import inspect
import logging
from pathlib import Path

import pytest
import torch

from harness.lmeval.model import MinizooLM
from harness.lmeval.opening.arguments import HONOURED, OURS, REFUSED, SPELLINGS, Arguments, read_arguments
from harness.lmeval.opening.opened import AtRevision, model_ref
from zoo.errors import (
    ConflictingOptions,
    DeviceMemory,
    DeviceMissing,
    FileMissing,
    InvalidOption,
    UnknownModel,
    UnknownName,
    UnsupportedDtype,
)

TABLE = [HONOURED, OURS, REFUSED, SPELLINGS]


def hflm_defaults():
    from lm_eval.models.huggingface import HFLM

    parameters = inspect.signature(HFLM.__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in ("self", "pretrained", "kwargs")}


def test_every_argument_of_hflm_is_in_the_table_once():
    for name in hflm_defaults():
        assert sum(name in part for part in TABLE) == 1, name


def test_hflms_own_defaults_ask_for_nothing():
    read = read_arguments("m", {name: value for name, value in hflm_defaults().items() if name != "device"})
    assert read == Arguments("m")


@pytest.mark.parametrize("name", [*HONOURED, *OURS, *SPELLINGS, *REFUSED])
def test_none_asks_for_nothing(name):
    assert read_arguments("m", {name: None}) == Arguments("m")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"backend": "causal"}, {}),
        ({"backend": "pruned"}, {"backend": "pruned"}),
        ({"revision": 1000}, {"revision": "1000"}),
        ({"dtype": torch.bfloat16}, {"dtype": "bfloat16"}),
        ({"dtype": "torch.float16"}, {"dtype": "float16"}),
        ({"torch_dtype": "float16", "dtype": "float16"}, {"dtype": "float16"}),
        ({"device": torch.device("cpu")}, {"device": "cpu"}),
        ({"device": 1}, {"device": "cuda:1"}),
        ({"device_map": {"": "cpu"}}, {"device": "cpu"}),
        ({"device_map": {"": 1}}, {"device": "cuda:1"}),
        ({"max_length": "512"}, {"max_length": 512}),
        ({"max_length": 0}, {}),
        ({"add_bos_token": "True"}, {"add_bos_token": True}),
        ({"add_bos_token": False}, {"add_bos_token": False}),
        ({"prefix_token_id": 0}, {"prefix_token_id": 0}),
        ({"think_end_token": "200008"}, {"think_end_token": 200008}),
        (
            {"think_end_token": "</think>", "enable_thinking": True},
            {"think_end_token": "</think>", "enable_thinking": True},
        ),
        ({"enable_thinking": False}, {"enable_thinking": False}),
        ({"chat_template_args": {"a": 1}}, {"chat_template_args": {"a": 1}}),
        ({"tokenizer": "owner/name"}, {"tokenizer": "owner/name"}),
        ({"eager": True, "seed": 3}, {"eager": True, "seed": 3}),
        ({"softmax_dtype": torch.float32, "peft": False, "offload_folder": "./offload"}, {}),
    ],
)
def test_values_are_read_as_programs_and_the_command_line_give_them(given, expected):
    assert read_arguments("m", given) == Arguments("m", **expected)


def test_a_model_may_be_named_by_a_path_or_a_number():
    assert read_arguments(Path("a/b"), {}).pretrained == "a/b"
    assert read_arguments(42, {}).pretrained == "42"


REFUSALS = [
    ("peft", "owner/adapter", "merge_and_unload"),
    ("delta", "owner/delta", "Add the delta to its base"),
    ("gguf_file", "m.gguf", "folder of safetensors"),
    ("autogptq", True, "is read as such"),
    ("gptqmodel", True, "is read as such"),
    ("parallelize", True, "one device"),
    ("tp_plan", "auto", "one device"),
    ("max_memory_per_gpu", "10GiB", "one device"),
    ("max_cpu_memory", "10GiB", "one device"),
    ("offload_folder", "elsewhere", "one device"),
    ("device_map", "auto", "one device"),
    ("device_map", {"a": 0, "b": 1}, "one device"),
    ("mixed_precision_dtype", "bfloat16", "Give `dtype` alone"),
    ("softmax_dtype", "bfloat16", "always computed in float32"),
    ("softmax_dtype", torch.float64, "always computed in float32"),
    ("trust_remote_code", True, "No code of a checkpoint's is run"),
    ("use_fast_tokenizer", False, "rules of tokenizer.json"),
    ("truncation", True, "lose tokens on the left"),
    ("load_in_4bit", True, "Quantise the checkpoint beforehand"),
    ("load_in_8bit", True, "Quantise the checkpoint beforehand"),
    ("bnb_4bit_compute_dtype", "float16", "Quantise the checkpoint beforehand"),
    ("quantization_config", {"bits": 4}, "Quantise the checkpoint beforehand"),
    ("backend", "seq2seq", "--model hf"),
    ("token", "secret", "HF_TOKEN"),
]


@pytest.mark.parametrize(("name", "value", "way_out"), REFUSALS)
def test_what_is_not_followed_is_refused_with_the_way_out(name, value, way_out):
    with pytest.raises(InvalidOption, match=way_out) as raised:
        read_arguments("m", {name: value})
    assert name in raised.value.what


def test_a_token_is_not_repeated_in_its_refusal():
    with pytest.raises(InvalidOption) as raised:
        read_arguments("m", {"token": "hf_secret"})
    assert "hf_secret" not in str(raised.value)


@pytest.mark.parametrize("name", REFUSED)
def test_every_refused_argument_is_refused_for_some_value(name):
    with pytest.raises(InvalidOption, match="does not follow"):
        read_arguments("m", {name: "surely not this"})


def test_a_model_that_is_loaded_already_is_refused():
    with pytest.raises(InvalidOption, match=r"pretrained is a Linear.*save_pretrained"):
        MinizooLM(torch.nn.Linear(1, 1))


@pytest.mark.parametrize("pretrained", [None, "", True])
def test_no_model_is_refused(pretrained):
    with pytest.raises(InvalidOption):
        MinizooLM(pretrained)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_length", "long"),
        ("max_length", -1),
        ("max_length", 1.5),
        ("add_bos_token", "perhaps"),
        ("prefix_token_id", True),
        ("chat_template_args", "tone"),
        ("batch_size", "many"),
        ("dtype", ["float16"]),
        ("seed", -3),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_by_name(name, value):
    with pytest.raises(InvalidOption, match=name):
        read_arguments("m", {name: value})


@pytest.mark.parametrize(
    ("name", "near"),
    [("dtpye", "dtype"), ("max_len", "max_length"), ("pretraind", "pretrained"), ("rope_scaling", None)],
)
def test_an_unknown_argument_is_refused_with_the_closest(name, near):
    with pytest.raises(UnknownName, match=f"no argument of minizoo's model named '{name}'") as raised:
        read_arguments("m", {name: 1})
    assert (f"Did you mean '{near}'?" in raised.value.hint) == (near is not None)
    assert "config.json is changed in a copy" in raised.value.hint


def test_arguments_that_do_not_go_together_are_refused():
    with pytest.raises(ConflictingOptions, match="think_end_token"):
        read_arguments("m", {"enable_thinking": True})
    with pytest.raises(ConflictingOptions, match="Give dtype alone"):
        read_arguments("m", {"dtype": "float16", "torch_dtype": torch.bfloat16})


def test_what_changes_nothing_is_told_once_with_why(stories, caplog):
    with caplog.at_level(logging.WARNING):
        lm = MinizooLM(
            str(stories),
            dtype="float32",
            batch_size="auto:4",
            max_batch_size=8,
            attn_implementation="sdpa",
            logits_cache=True,
        )
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "batch_size=auto:4, max_batch_size=8: of no effect here, requests are packed by tokens, whatever the batch "
        "size.",
        "attn_implementation=sdpa: of no effect here, attention over packed requests is minizoo's own.",
    ]
    assert lm.batch_size == "auto"


# Before a weight is read


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"max_length": 513}, InvalidOption, "max_length=513 is longer than the context of stories260k, 512 tokens"),
        ({"device": "cuda:77"}, DeviceMissing, "not cuda:77"),
        ({"device": "mps"}, InvalidOption, "does not run on 'mps'"),
        ({"dtype": "int8"}, UnsupportedDtype, "'int8' is not a floating-point type"),
        ({"backend": "prune"}, UnknownName, "Did you mean 'pruned'"),
        ({"revision": "step3"}, InvalidOption, "revision=step3 is of the hub, and .* is a folder"),
        ({"subfolder": "none"}, FileMissing, "none is not a folder"),
        ({"tokenizer": "nonesuch"}, UnknownModel, "nonesuch"),
    ],
)
def test_what_cannot_be_run_is_refused_before_the_weights_are_read(stories, monkeypatch, given, error, words):
    monkeypatch.setattr("harness.lmeval.opening.opened.locate", None)
    with pytest.raises(error, match=words):
        MinizooLM(str(stories), **given)


def test_a_model_without_room_for_its_weights_is_refused(stories, monkeypatch):
    monkeypatch.setattr("harness.lmeval.opening.opened.locate", None)
    monkeypatch.setattr("backends.memory.available_bytes", lambda: 1000)
    with pytest.raises(DeviceMemory, match="stories260k take"):
        MinizooLM(str(stories), device="cpu")


@pytest.mark.parametrize(("variable", "value"), [("WORLD_SIZE", "2"), ("LOCAL_RANK", "1")])
def test_one_of_several_processes_is_refused(stories, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConflictingOptions, match=r"Start it once"):
        MinizooLM(str(stories))


def test_a_launcher_of_one_process_is_no_hindrance(stories, monkeypatch):
    for name, value in (("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"), ("RANK", "0")):
        monkeypatch.setenv(name, value)
    lm = MinizooLM(str(stories), dtype="float32")
    assert (lm.rank, lm.world_size) == (0, 1)


def test_revisions_of_the_hub():
    assert model_ref("owner/model").hub == ("owner/model", None)
    at = model_ref("owner/model", "step3")
    assert isinstance(at, AtRevision)
    assert at.hub == ("owner/model", "step3")
    pinned = model_ref("minitron-4b").hub
    assert model_ref(pinned[0], pinned[1]).hub == pinned
    with pytest.raises(InvalidOption, match=rf"stands for {pinned[0]} at .*hf download {pinned[0]} --revision other"):
        model_ref("minitron-4b", "other")
    with pytest.raises(InvalidOption, match=r"hf download owner/model --include 'sub/\*' --local-dir DIR"):
        model_ref("owner/model", subfolder="sub")
