"""config.json as dimensions: one view of its keys, from which reading and comparing both take their values."""

import json

import pytest

from zoo.arch.config_comparison import compare
from zoo.arch.config_keys import FAMILIES
from zoo.arch.hf_config import dims_of, read_config
from zoo.errors import ConfigMissing, InvalidConfig, UnsupportedArchitecture

LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 96,
    "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100, "rms_norm_eps": 1e-5,
}  # fmt: skip
NEMOTRON = {**LLAMA, "model_type": "nemotron", "architectures": ["NemotronForCausalLM"], "hidden_act": "relu2"}
SCALING = {"factor": 8.0, "original_max_position_embeddings": 8192}
CONFIGS = [
    LLAMA,
    NEMOTRON,
    {**LLAMA, "model_type": "mistral", "architectures": ["MistralForCausalLM"], "num_attention_heads": 16},
    {**NEMOTRON, "rope_percentage": 0.25, "kv_channels": 32},
    {**LLAMA, "num_key_value_heads": 2, "rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", **SCALING}},
    {**LLAMA, "rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6, **SCALING}, "tie_word_embeddings": True},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_what_is_read_from_a_config_agrees_with_it(config, tmp_path):
    assert compare(dims_of(config, tmp_path), config) == []


def test_absent_keys_have_the_defaults_of_the_model_class(tmp_path):
    llama, nemotron = dims_of(LLAMA, tmp_path), dims_of(NEMOTRON, tmp_path)
    assert (llama.head_dim, llama.num_kv_heads, llama.rope.theta, llama.rope.fraction) == (16, 4, 10000.0, 1.0)
    assert (nemotron.rope.fraction, nemotron.activation, nemotron.norm) == (0.5, "relu2", "layernorm1p")
    mistral = {**LLAMA, "model_type": "mistral", "num_attention_heads": 16}
    assert dims_of(mistral, tmp_path).num_kv_heads == 8
    assert dims_of({**mistral, "num_key_value_heads": None}, tmp_path).num_kv_heads == 16


@pytest.mark.parametrize("family", FAMILIES)
def test_the_defaults_are_those_of_transformers(family, tmp_path):
    configuration = pytest.importorskip("transformers").AutoConfig.for_model(
        family, hidden_size=64, num_attention_heads=16
    )
    bare = {"model_type": family, "hidden_size": 64, "num_attention_heads": 16, "intermediate_size": 8,
            "num_hidden_layers": 1, "vocab_size": 9}  # fmt: skip
    dims = dims_of(bare, tmp_path)
    rope = configuration.rope_parameters
    assert (dims.rope.theta, dims.rope.fraction) == (rope["rope_theta"], rope.get("partial_rotary_factor", 1.0))
    assert dims.tied_embeddings == configuration.tie_word_embeddings
    assert dims.num_kv_heads == (configuration.num_key_value_heads or configuration.num_attention_heads)
    assert dims.head_dim == (getattr(configuration, "head_dim", None) or 4)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"model_type": "gpt2"}, UnsupportedArchitecture),
        ({"model_type": None}, UnsupportedArchitecture),
        ({"hidden_act": "gelu"}, InvalidConfig),
        ({"hidden_size": None}, InvalidConfig),
        ({"hidden_size": "64"}, InvalidConfig),
        ({"num_hidden_layers": -1}, InvalidConfig),
        ({"rope_theta": "big"}, InvalidConfig),
    ],
)
def test_a_config_without_readable_dimensions_has_its_cause(changes, cause, tmp_path):
    with pytest.raises(cause):
        dims_of({**LLAMA, **changes}, tmp_path)


def test_a_folder_without_a_config_and_a_config_that_is_none_are_told_apart(tmp_path):
    with pytest.raises(ConfigMissing):
        read_config(tmp_path)
    for text in ("{", "[1]", "\x00", "[" * 100_000):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InvalidConfig):
            read_config(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    assert read_config(tmp_path) == read_config(tmp_path / "config.json") == LLAMA
