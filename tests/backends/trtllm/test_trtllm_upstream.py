"""The fake package has upstream's signatures, and the worker passes nothing that upstream does not have (upstream.json)."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.fake_trtllm.engine import LLM
from support.fake_trtllm.results import UPSTREAM, CompletionOutput, KvCacheConfig, RequestOutput, SamplingParams


@pytest.mark.parametrize(
    ("name", "own"), [("generate", LLM.generate), ("generate_async", LLM.generate_async), ("LLM", LLM)]
)
def test_the_fakes_parameters_are_those_of_the_stored_extract(name: str, own: Any):
    told = {
        one.name: "-" if one.default is inspect.Parameter.empty else one.default
        for one in inspect.signature(own).parameters.values()
        if one.name != "self"
    }
    assert told == UPSTREAM[name]


def test_every_extract_names_the_file_and_the_state_it_was_read_from():
    for source in UPSTREAM["read_from"].values():
        assert ".yaml at " in source or ".py" in source
        assert "series" in source or " at " in source


def test_the_fakes_classes_have_the_names_of_the_extract():
    assert [one.name for one in fields(KvCacheConfig)] == UPSTREAM["KvCacheConfig"]
    assert {one.name: one.default for one in fields(SamplingParams)} == UPSTREAM["SamplingParams"]
    own = {*dir(CompletionOutput), *(one.name for one in fields(CompletionOutput))}
    assert own.issuperset(UPSTREAM["CompletionOutput"])
    assert {*dir(RequestOutput), *vars(RequestOutput(None, [1], None))}.issuperset(UPSTREAM["RequestOutput"])


def arguments(served: Path, **own: Any) -> dict[str, Any]:
    from trtllm_settings import llm_arguments  # pyright: ignore[reportMissingImports]

    engine = {"dtype": "bfloat16", "max_seq_len": 4096, "vocabulary": 256_000, **own}
    return llm_arguments("folder", {"engine": engine}, KvCacheConfig)


def test_the_engine_is_opened_with_arguments_that_upstream_has(served: Path):
    every = arguments(served, attn_backend="FLASHINFER", kv_cache_dtype="fp8", tensor_parallel_size=2)
    assert every.keys() <= UPSTREAM["LLM"].keys() | set(UPSTREAM["LLM.kwargs"])
    assert every["kv_cache_config"] == KvCacheConfig(False, None, 0.8, "fp8")


def test_nothing_is_cut_short_by_what_the_engine_is_opened_with(served: Path):
    made = arguments(served, max_seq_len=20_000)
    assert (made["max_input_len"], made["max_seq_len"], made["max_num_tokens"]) == (20_000, 20_001, 20_000)
    assert made["enable_chunked_prefill"] is False


def test_block_reuse_is_off_unless_it_is_asked_for(served: Path):
    assert arguments(served)["kv_cache_config"].enable_block_reuse is False
    assert arguments(served, enable_block_reuse=True)["kv_cache_config"].enable_block_reuse is True


def test_logits_of_a_large_vocabulary_fit_and_its_whole_context_does_too(served: Path):
    from trtllm_settings import LOGITS_BYTES, rows_at_once  # pyright: ignore[reportMissingImports]

    assert 4096 <= rows_at_once(256_000) <= LOGITS_BYTES // (8 * 256_000)
