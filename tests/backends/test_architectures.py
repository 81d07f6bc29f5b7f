"""What is swept: all that transformers can make, nothing left out without a word."""

import json

import pytest
import torch
import transformers
from support.architecture_page import PAGE
from support.architecture_sweep import (
    ALLOWED,
    EOS,
    NO_REFERENCE,
    PACKED_BEFORE,
    NoTokenizer,
    Own,
    generate_fault,
    largest_difference,
    opened,
    score_requests,
    stream_fault,
    swept_names,
)
from support.tiny_architectures import causal_lm_classes, made_types, tiny_config, tiny_model
from support.tiny_shapes import NOT_MADE, OWN, VARIANTS

from backends.contract import Options
from backends.hf.backend import HfBackend
from zoo.checkpoint.locate import open_folder

NESTED = ["gemma3", "qwen3_5"]
"""Types whose configuration has a text part; the class of the second runs that part alone."""


def test_at_least_140_classes_are_made_and_the_others_are_named_with_a_reason():
    known = causal_lm_classes()
    assert len({known[kind] for kind in made_types()}) >= 140
    assert set(known) == set(made_types()) | (set(NOT_MADE) & set(known))
    assert all(len(why.split()) > 3 for why in NOT_MADE.values())


def test_phi_3_and_gpt_neox_and_what_was_packed_before_are_swept():
    known = set(causal_lm_classes())
    assert PACKED_BEFORE & known <= set(swept_names())
    assert {"phi3", "gpt_neox"} <= PACKED_BEFORE


def test_every_row_of_the_tables_is_of_a_type_that_some_transformers_has():
    newest = transformers.__version__ >= "5.23"
    named = set(OWN) | set(NOT_MADE) | {kind for kind, _ in VARIANTS.values()} | PACKED_BEFORE
    assert not newest or named <= set(causal_lm_classes())


@pytest.mark.parametrize("name", sorted(NO_REFERENCE))
def test_what_has_no_reference_is_no_causal_model(name):
    assert Own(tiny_model(name)).noncausal() > 0.1


@pytest.mark.parametrize("name", ["llama", "gpt_neox", "mistral", "mamba", "gemma2", "bloom"])
def test_the_reference_is_causal(name):
    assert Own(tiny_model(name)).noncausal() < ALLOWED


def test_tiny_models_are_the_same_each_time_and_far_from_uniform():
    first, second = tiny_model("phi3"), tiny_model("phi3")
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    logp = Own(first).logits(score_requests()[0].continuation).log_softmax(-1)
    assert -logp.max(-1).values.mean() < 4.5  # log 512 is 6.2


@pytest.mark.parametrize("name", ["phi3", "gpt_neox", "mixtral", "mamba2", *NESTED])
def test_a_class_runs_from_a_folder_as_in_memory(name, tmp_path):
    """Fused weights, experts that are stored one by one, a class without a stated context, nested configurations."""
    model = tiny_model(name)
    model.save_pretrained(tmp_path)
    tiny_config(name).save_pretrained(tmp_path)
    own = Own(model)
    backend = HfBackend(open_folder(tmp_path), Options(device="cpu", token_budget=48), tokenizer=NoTokenizer())
    assert largest_difference(backend, [own.logprobs(request) for request in score_requests()]) < ALLOWED
    assert generate_fault(backend, own) is None
    assert stream_fault(backend, own) is None
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == name


def test_page_counts_what_is_swept():
    page = PAGE.read_text("utf-8")
    if f"Made with transformers {transformers.__version__}," not in page:
        pytest.skip("docs/architectures.md was made with another transformers")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")]
    expected = {*swept_names(), *(set(NOT_MADE) & set(causal_lm_classes())), "model type", "variant"}
    assert set(rows) == expected
    known = causal_lm_classes()
    assert f"knows {len(known)} model types, of {len(set(known.values()))} classes" in page
    packed = sum(
        line.split(" | ")[2] == "packed" for line in page.splitlines() if line.split(" | ")[0][2:] in made_types()
    )
    assert f"{packed} types are **packed**" in page
    assert f"{len(made_types()) - packed} run" in page


def test_generation_ends_where_the_model_says():
    model = tiny_model("llama, without biases")
    own, backend = Own(model), opened(model, eager=False, name="llama, without biases")
    model.generation_config.eos_token_id = EOS
    assert generate_fault(backend, own) is None
