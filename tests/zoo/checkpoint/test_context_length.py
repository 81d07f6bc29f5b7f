"""A model's context is lm-eval's `max_length`: config.json as transformers reads it, the tokenizer, else 2,048."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lm_eval.models.huggingface import HFLM
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from zoo.checkpoint.context_length import context_length
from zoo.checkpoint.locate import open_folder
from zoo.errors import InvalidConfig
from zoo.nano.tokenizer import train_tokenizer

STATED_NOWHERE = {"bloom", "cpmant", "falcon_mamba", "mamba", "mamba2", "mpt", "recurrent_gemma", "xlstm"}
UNLIMITED = {"xlnet"}
"""Says -1, with which lm-eval can run nothing."""


def hflm_max_length(config: object, tokenizer: object = None) -> int:
    """lm-eval's own property, of a model with that configuration."""
    asked = SimpleNamespace(
        _max_length=None, model=SimpleNamespace(config=config), tokenizer=tokenizer, _DEFAULT_MAX_LENGTH=2048
    )
    return cast(Any, HFLM.max_length).fget(asked)


def test_every_causal_lm_class_has_the_context_that_lm_eval_gives_it(tmp_path: Path) -> None:
    assumed: set[str] = set()
    checked = 0
    for model_type in set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - UNLIMITED:
        try:
            config = AutoConfig.for_model(model_type)
        except Exception:  # a class without defaults of its own
            continue
        written = json.loads(json.dumps(config.to_dict(), default=str))
        for stated in (written, {"model_type": model_type}):
            found = context_length(stated, tmp_path)
            assert found.tokens == hflm_max_length(config), model_type
            checked += 1
            if found.assumed:
                assumed.add(model_type)
    assert checked > 300
    assert assumed >= STATED_NOWHERE
    assert not assumed & {"llama", "gemma3", "gpt2", "dbrx", "falcon"}


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"model_type": "llama", "max_position_embeddings": 640}, 640),
        ({"model_type": "gpt2", "n_positions": 96}, 96),
        ({"model_type": "gemma3", "text_config": {"max_position_embeddings": 512}}, 512),
        ({"model_type": "gemma3n", "text_config": {"max_position_embeddings": 256}}, 256),
        ({"model_type": "llama4", "text_config": {"max_position_embeddings": 8192}}, 8192),
        ({"model_type": "dbrx", "max_seq_len": 4096}, 4096),
        ({"model_type": "rwkv", "context_length": 512}, 512),
        ({"model_type": "mpt", "max_seq_len": 512}, 2048),
        ({"model_type": "bloom", "n_positions": 300}, 300),
        ({"model_type": "of-the-future", "text_config": {"n_ctx": 77}, "n_positions": 5}, 77),
        ({"model_type": "of-the-future", "n_ctx": 77, "max_position_embeddings": 78}, 78),
        ({"model_type": "of-the-future"}, 2048),
    ],
)
def test_the_text_models_keys_are_read_as_the_class_spells_them(
    config: dict[str, Any], tokens: int, tmp_path: Path
) -> None:
    assert context_length(config, tmp_path).tokens == tokens
    if config["model_type"] != "of-the-future":
        known = {key: value for key, value in config.items() if key != "model_type"}
        assert hflm_max_length(AutoConfig.for_model(config["model_type"], **known)) == tokens


def test_a_class_without_a_limit_states_none(tmp_path: Path) -> None:
    found = context_length({"model_type": "xlnet"}, tmp_path)
    assert found.tokens == 2048
    assert found.assumed


@pytest.mark.parametrize("value", [0, -1, True, False, 8192.0, "8192", [8192]])
@pytest.mark.parametrize("nested", [False, True])
def test_a_context_that_is_no_number_of_tokens_is_refused(value: object, nested: bool, tmp_path: Path) -> None:
    stated: dict[str, Any] = {"max_position_embeddings": value}
    config = {"model_type": "gemma3", "text_config": stated} if nested else {"model_type": "llama", **stated}
    with pytest.raises(InvalidConfig, match=r"max_position_embeddings is .* which is no number of tokens"):
        _ = context_length(config, tmp_path).tokens


def test_the_class_own_spelling_is_held_to_the_same(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="is 0, which is no number of tokens"):
        context_length({"model_type": "dbrx", "max_seq_len": 0}, tmp_path)


@pytest.mark.parametrize(
    ("stated", "tokens", "words"),
    [
        (700, 700, "config.json states no context, so the tokenizer's 700 tokens are taken"),
        (1e30, 2048, "neither config.json nor the tokenizer states a context, so lm-eval's 2,048 tokens are taken"),
        (None, 2048, "neither config.json nor the tokenizer states a context, so lm-eval's 2,048 tokens are taken"),
        (512.0, 512, "config.json states no context, so the tokenizer's 512 tokens are taken"),
    ],
)
def test_where_the_config_states_none_the_tokenizer_does_and_it_is_said(
    stated: object, tokens: int, words: str, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    _write_tokenizer(tmp_path, stated)
    found = context_length({"model_type": "mamba"}, tmp_path)
    assert (found.tokens, found.assumed) == (tokens, words)
    assert hflm_max_length(AutoConfig.for_model("mamba"), AutoTokenizer.from_pretrained(tmp_path)) == tokens
    assert context_length({"model_type": "llama"}, tmp_path).assumed is None


@pytest.mark.parametrize("stated", [0, -5, True, 12.5])
def test_a_tokenizers_context_that_is_no_number_is_refused_where_it_is_needed(stated: object, tmp_path: Path) -> None:
    _write_tokenizer(tmp_path, stated)
    with pytest.raises(InvalidConfig, match="model_max_length is"):
        context_length({"model_type": "mamba"}, tmp_path)
    assert context_length({"model_type": "gpt2"}, tmp_path).tokens == 1024


def test_a_checkpoint_knows_its_context(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "gemma3", "text_config": {"max_position_embeddings": 512}})
    )
    assert open_folder(tmp_path).max_length == 512


def _write_tokenizer(folder: Path, stated: object) -> None:
    train_tokenizer(["once upon a time"], 64).save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    config["model_max_length"] = stated
    if stated is None:
        del config["model_max_length"]
    file.write_text(json.dumps(config))
