"""What a TensorRT-LLM worker is told, and what is refused before one is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.contract import GenerateRequest, Generation, Options
from backends.driven.generation import file_config
from backends.trtllm.generation import Settled
from backends.trtllm.settings import device_groups, environment, settled
from zoo.checkpoint.locate import Checkpoint, locate, outline
from zoo.errors import DeviceMissing, InvalidOption, PromptTooLong, UnsupportedDtype, UnsupportedRequest, WrongBackend

CONTEXT = 64


class Letters:
    """A tokenizer of which token 1 ends a text and has none itself; token 2 has a text."""

    bos_id: int | None = 0
    eos_id: int | None = 1
    vocab_size = 9

    def encode(self, texts: Any, add_special_tokens: bool | None = None) -> list[list[int]]:
        raise NotImplementedError

    def decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        return "".join("" if token == 1 else "x" for token in tokens)


def rules(folder: Path, **said: Any) -> Settled:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 1, **said}))
    return Settled(file_config(folder), Letters(), CONTEXT)


def told(checkpoint: Checkpoint, **options: Any) -> Options:
    return settled(checkpoint, Options(**options), "cuda:0")


def test_the_dtype_is_the_checkpoints_own_unless_weights_are_quantised(nano: Checkpoint):
    assert told(nano).dtype == "bfloat16"
    assert told(nano, dtype="float16").engine["dtype"] == "float16"
    fp8 = Checkpoint(nano.ref, nano.folder, {**nano.config, "quantization_config": {"quant_method": "fp8"}})
    assert told(fp8).dtype == "auto"
    with pytest.raises(UnsupportedDtype, match="does not compute in float32"):
        told(nano, dtype="float32")


def test_block_reuse_is_on_for_drawn_weights_alone_unless_it_is_named(nano: Checkpoint):
    assert told(nano).engine["enable_block_reuse"] is False
    assert told(nano, random_weights=True).engine["enable_block_reuse"] is True
    assert told(nano, engine={"enable_block_reuse": True}).engine["enable_block_reuse"] is True


def test_the_context_is_the_models_own_unless_a_shorter_one_is_asked(nano: Checkpoint):
    lengths = [told(nano, engine=own).engine["max_seq_len"] for own in ({}, {"max_seq_len": 9}, {"max_seq_len": 9999})]
    assert lengths == [512, 9, 512]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"max_batchsize": 3}, "max_batch_size"),
        ({"trust_remote_code": True}, "trust_remote_code"),
        ({"enable_block_reuse": 1}, "does not take 1"),
        ({"max_batch_size": True}, "does not take True"),
        ({"max_num_tokens": 0}, "more than 0"),
    ],
)
def test_a_setting_that_is_not_to_be_given_is_refused_by_name(nano: Checkpoint, setting: dict[str, Any], said: str):
    with pytest.raises(UnsupportedRequest) as refused:
        told(nano, engine=setting)
    assert said in str(refused.value)


def test_a_plan_without_weights_is_for_the_pruned_backend():
    with pytest.raises(WrongBackend, match="TensorRT-LLM cannot run"):
        told(locate(outline("nano-width-pruned")))


def test_a_model_is_cut_over_whole_groups_of_gpus(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.version.cuda", None)
    two = {"tensor_parallel_size": 2}
    assert device_groups(Options(devices=("cuda:0", "cuda:3"), engine=two)) == [("cuda:0", "cuda:3")]
    assert device_groups(Options()) == [("cuda:0",)]
    with pytest.raises(InvalidOption, match="tensor_parallel_size is 2"):
        device_groups(Options(engine=two))
    with pytest.raises(InvalidOption):
        device_groups(Options(device="tpu"))
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(DeviceMissing, match="sees 0 here"):
        device_groups(Options())
    assert environment(("cuda:0", "cuda:3"))["CUDA_VISIBLE_DEVICES"] == "0,3"


def test_greedy_text_names_what_ends_it_and_nothing_else(tmp_path: Path):
    asked = rules(tmp_path, eos_token_id=[5, 2]).request(GenerateRequest((3, 4), 8))
    assert dict(asked.settings) == {"stop_token_ids": [1, 2, 5]}
    quiet = rules(tmp_path, top_k=7, temperature=0.3, do_sample=True).request(GenerateRequest((3, 4), 8))
    assert dict(quiet.settings) == {"stop_token_ids": [1]}


def test_drawn_text_is_refused_with_the_reason_and_another_way(tmp_path: Path):
    with pytest.raises(UnsupportedRequest, match="seed") as refused:
        rules(tmp_path).request(GenerateRequest((3, 4), 8, temperature=0.7))
    assert "score=trtllm,generate=hf" in refused.value.hint


@pytest.mark.parametrize("said", [{"repetition_penalty": 1.2}, {"min_new_tokens": 3}, {"num_beams": 4}])
def test_a_setting_that_changes_greedy_text_is_refused_by_name(tmp_path: Path, said: dict[str, Any]):
    with pytest.raises(UnsupportedRequest, match=next(iter(said))):
        rules(tmp_path, **said).request(GenerateRequest((3, 4), 8))


def test_lengths_must_fit(tmp_path: Path):
    with pytest.raises(ValueError, match="60 \\+ 5 tokens do not fit into 64"):
        rules(tmp_path).request(GenerateRequest((3,) * 60, 5))
    with pytest.raises(PromptTooLong, match="max_new_tokens to 63"):
        rules(tmp_path, max_new_tokens=63).request(GenerateRequest((3, 4), 8))


def test_the_token_that_ends_a_text_is_left_out_unless_it_has_a_text_of_its_own(tmp_path: Path):
    own = rules(tmp_path, eos_token_id=[1, 2])
    asked = GenerateRequest((3, 4), 8)
    ends = [own.generation(asked, Generation(0, (7, last), "stop")).tokens for last in (1, 2, 8)]
    assert ends == [(7,), (7, 2), (7, 8)]
