"""What vLLM is told of a request under a model's generation_config.json, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.contract import GenerateRequest, Generation
from backends.driven.generation import file_config
from backends.vllm.generation import Settled
from zoo.errors import PromptTooLong, UnsupportedRequest

CONTEXT = 64


class Letters:
    """A tokenizer of which token 1 ends a text and has none itself, token 2 ends one too and has a text."""

    bos_id, eos_id, vocab_size = 0, 1, 9

    def encode(self, texts: Any, add_special_tokens: bool | None = None) -> list[list[int]]:
        raise NotImplementedError

    def decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        return "".join("" if token == 1 else "x" for token in tokens)


def settled(folder: Path, **said: Any) -> Settled:
    """`Settled` of a folder whose generation_config.json says this."""
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 1, **said}))
    return Settled(file_config(folder), Letters(), CONTEXT)


def asked(**fields: Any) -> GenerateRequest:
    return GenerateRequest((3, 4), 8, **fields)


def test_a_greedy_request_names_only_what_ends_a_text(tmp_path: Path):
    told = settled(tmp_path).request(asked())
    assert dict(told.settings) == {"stop_token_ids": [1]}
    assert told.max_new_tokens == 8
    assert told.top_p is None


def test_every_token_that_ends_a_text_is_told_the_tokenizers_own_too(tmp_path: Path):
    assert settled(tmp_path, eos_token_id=[5, 2]).request(asked()).settings["stop_token_ids"] == [1, 2, 5]


def test_sampling_follows_transformers_default_of_fifty_tokens_unless_told_otherwise(tmp_path: Path):
    assert settled(tmp_path).request(asked(temperature=0.7)).settings["top_k"] == 50
    assert settled(tmp_path, top_k=7).request(asked(temperature=0.7)).settings["top_k"] == 7
    assert settled(tmp_path, top_k=7).request(asked(temperature=0.7, settings={"top_k": 3})).settings["top_k"] == 3


def test_a_sampling_setting_of_the_file_does_nothing_where_decoding_is_greedy(tmp_path: Path):
    quiet = settled(tmp_path, top_k=7, top_p=0.5, min_p=0.1, typical_p=0.3)
    assert dict(quiet.request(asked()).settings) == {"stop_token_ids": [1]}


def test_the_requests_own_top_p_counts_before_the_files(tmp_path: Path):
    both = settled(tmp_path, top_p=0.5)
    assert both.request(asked(temperature=1.0)).top_p == 0.5
    assert both.request(asked(temperature=1.0, top_p=0.9)).top_p == 0.9


def test_a_repetition_penalty_acts_greedily_too(tmp_path: Path):
    assert settled(tmp_path, repetition_penalty=1.2).request(asked()).settings["repetition_penalty"] == 1.2


@pytest.mark.parametrize(
    ("said", "request_"),
    [
        ({"no_repeat_ngram_size": 3}, {}),
        ({"suppress_tokens": [4]}, {}),
        ({"num_beams": 4}, {}),
        ({"min_length": 5}, {}),
        ({"typical_p": 0.3}, {"temperature": 1.0}),
        ({"min_p": 0.1, "top_p": 0.9}, {"temperature": 1.0}),
        ({}, {"temperature": 0.001}),
        ({}, {"temperature": 2.5}),
        ({"eos_token_id": [1, 2], "min_new_tokens": 3, "forced_eos_token_id": 2}, {}),
        ({"eos_token_id": 2, "min_new_tokens": 3}, {}),
        ({}, {"settings": {"no_repeat_ngram_size": 2}}),
        ({}, {"settings": {"penalty_alpha": 0.6}}),
    ],
)
def test_what_vllm_does_not_follow_as_transformers_does_is_refused_by_name(
    tmp_path: Path, said: dict[str, Any], request_: dict[str, Any]
):
    named = [
        *said,
        *request_.get("settings", {}),
        *(["temperature"] if not said and "settings" not in request_ else []),
    ]
    with pytest.raises(UnsupportedRequest) as refused:
        settled(tmp_path, **said).request(asked(**request_))
    assert any(name in refused.value.what for name in named)
    assert "vLLM" in refused.value.what or "generation" in refused.value.what


def test_a_word_that_is_no_setting_is_refused(tmp_path: Path):
    with pytest.raises(UnsupportedRequest, match="tempereture is no setting"):
        settled(tmp_path).request(asked(settings={"tempereture": 1}))


def test_settings_that_change_no_token_pass(tmp_path: Path):
    quiet = settled(tmp_path, use_cache=True, renormalize_logits=True, cache_implementation="static")
    assert dict(quiet.request(asked()).settings) == {"stop_token_ids": [1]}


def test_a_limit_of_the_file_counts_before_the_requests_own_and_must_fit(tmp_path: Path):
    assert settled(tmp_path, max_new_tokens=20).request(asked()).max_new_tokens == 20
    with pytest.raises(PromptTooLong, match="max_new_tokens to 63"):
        settled(tmp_path, max_new_tokens=63).request(asked())


def test_an_empty_prompt_and_one_that_leaves_no_room_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="at least one token"):
        settled(tmp_path).request(GenerateRequest((), 3))
    with pytest.raises(ValueError, match="60 \\+ 5 tokens do not fit into 64"):
        settled(tmp_path).request(GenerateRequest((3,) * 60, 5))


def test_the_token_that_ends_a_text_is_left_out_unless_it_has_a_text_of_its_own(tmp_path: Path):
    rules = settled(tmp_path, eos_token_id=[1, 2])
    assert rules.generation(asked(), Generation(0, (7, 1), "stop")).tokens == (7,)
    assert rules.generation(asked(), Generation(0, (7, 2), "stop")).tokens == (7, 2)
    assert rules.generation(asked(), Generation(0, (7, 8), "length")).tokens == (7, 8)


def test_without_the_file_config_json_says_what_ends_a_text(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "eos_token_id": 6}))
    assert Settled(file_config(tmp_path), Letters(), CONTEXT).request(asked()).settings["stop_token_ids"] == [1, 6]


def test_a_broken_file_is_told_and_not_passed_over(tmp_path: Path):
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(UnsupportedRequest, match="cannot read how"):
        file_config(tmp_path)
