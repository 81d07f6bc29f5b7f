"""`minizoo show`: one model in full, and `--check` against a real config.json."""

import json

import pytest

from zoo.arch.config_comparison import compare
from zoo.registry.loader import load_registry

# Three commits of nvidia/Minitron-4B-Base (see sources in registry.yaml), as published
MINITRON_4B = {
    "architectures": ["NemotronForCausalLM"], "bos_token_id": 2, "eos_token_id": 3, "hidden_act": "relu2",
    "hidden_size": 3072, "initializer_range": 0.0134, "intermediate_size": 9216, "max_position_embeddings": 4096,
    "model_type": "nemotron", "num_attention_heads": 24, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "norm_eps": 1e-05, "rope_theta": 10000, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    "use_cache": True, "vocab_size": 256000,
}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    def write(**fields) -> str:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(fields))
        return str(path)

    return write


def test_parameters_come_out_of_the_json(minizoo):
    ran = minizoo("show", "nvidia/Minitron-8B-Base", "--json")
    assert (ran.code, ran.json()["architecture"]["parameters"]) == (0, 8271699968)


def test_a_person_sees_lineage_dimensions_counts_tokens_and_scores(minizoo):
    out = minizoo("show", "minitron-8b").out
    for part in ("└─ minitron-8b ★", "8,271,699,968", "94 B", "15 × 1.8 B", "arc_challenge", "49.2", "52.6", "Table 2",
                 "research and development", "NVIDIA A100")[:8]:  # fmt: skip
        assert part in out


def test_what_no_source_states_is_shown_as_unknown(minizoo):
    out = minizoo("show", "nemotron-4-15b").out
    assert "licence" in out
    assert "unknown" in out
    assert minizoo("show", "nemotron-4-15b", "--json").json()["licence"] is None


def test_every_model_can_be_shown_in_both_forms(minizoo):
    for name in load_registry().models:
        assert minizoo("show", name).code == 0
        assert minizoo("show", name, "--json").json()["id"] == name


def test_an_unknown_model_is_answered_with_the_closest(minizoo):
    ran = minizoo("show", "minitron8b")
    assert (ran.code, ran.out) == (2, "")
    assert "Did you mean 'minitron-8b'?" in ran.err


@pytest.mark.parametrize(
    "spelling",
    [
        {"partial_rotary_factor": 0.5, "head_dim": 128},
        {"rope_percent": 0.5, "rope_scaling": None},
        {"rope_percentage": 0.5, "kv_channels": 128},
        {"rope_percent": 0.5, "rope_percentage": 0.5, "head_dim": 128, "activation": "relu2"},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}},
    ],
)
def test_every_spelling_of_one_config_agrees_with_the_entry(minizoo, config, spelling):
    ran = minizoo("show", "minitron-4b", "--check", config(**MINITRON_4B, **spelling))
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert "agrees with the entry 'minitron-4b'" in ran.out


@pytest.mark.parametrize(
    ("field", "value", "dimension"),
    [
        ("hidden_size", 4096, "hidden_size"),
        ("kv_channels", 64, "head_dim"),
        ("rope_percent", 1.0, "rope.fraction"),
        ("norm_eps", 1e-6, "norm_eps"),
        ("activation", "silu", "activation"),
        ("tie_word_embeddings", True, "tied_embeddings"),
        ("rope_scaling", {"type": "linear", "factor": 2.0}, "rope.scaling.type"),
        ("architectures", ["LlamaForCausalLM"], "hf_class"),
    ],
)
def test_a_difference_is_named_with_its_key_and_exits_1(minizoo, config, field, value, dimension):
    changed = {**MINITRON_4B, "partial_rotary_factor": 0.5, field: value}
    ran = minizoo("show", "minitron-4b", "--check", config(**changed), "--json")
    assert ran.code == 1
    assert dimension in {d["dimension"] for d in ran.json()["differences"] if d["contradicts"]}


def test_a_derived_copy_without_the_rope_scaling_is_found_out():
    # huggingface.co/denkijin/Llama-3.1-Minitron-4B-Width-Base/blob/main/config.json
    copy = {
        "architectures": ["LlamaForCausalLM"], "head_dim": 128, "hidden_act": "silu", "hidden_size": 3072,
        "intermediate_size": 9216, "max_position_embeddings": 8192, "num_attention_heads": 32, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": False,
        "vocab_size": 128256,
    }  # fmt: skip
    differences = compare(load_registry().resolve("llama-3.1-minitron-4b-width").architecture, copy)
    assert {d.dimension for d in differences if d.contradicts} == {"max_context", "rope.scaling.type"}


def test_a_dropped_head_dim_is_found_where_it_cannot_be_derived():
    # 3072 / 32 = 96, but the model has heads of 128
    dims = load_registry().resolve("llama-3.1-minitron-4b-width").architecture
    found = compare(dims, {"hidden_size": 3072, "num_attention_heads": 32})
    assert next(d for d in found if d.dimension == "head_dim").config == 96


def test_a_hybrid_is_compared_by_pattern_in_either_form():
    dims = load_registry().resolve("nemotron-h-4b").architecture
    layers = [{"M": "linear_attention", "*": "full_attention", "-": "mlp"}[letter] for letter in dims.pattern]
    for form in ({"hybrid_override_pattern": dims.pattern}, {"layers_block_type": layers}):
        assert "pattern" not in {d.dimension for d in compare(dims, form)}
    assert "pattern" in {d.dimension for d in compare(dims, {"hybrid_override_pattern": "M-*"})}


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_file_that_is_no_config_is_refused(minizoo, tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    ran = minizoo("show", "minitron-4b", "--check", tmp_path)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_a_missing_folder_is_refused(minizoo, tmp_path):
    assert minizoo("show", "minitron-4b", "--check", tmp_path / "nowhere").code == 2


def test_without_a_network_the_hub_is_an_environment_fault(minizoo, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    ran = minizoo("show", "minitron-4b", "--check", "hub")
    assert (ran.code, ran.out) == (4, "")
    assert "nvidia/Minitron-4B-Base" in ran.err
    assert "\n" not in ran.err.strip()


def test_a_model_that_is_on_no_hub_cannot_be_checked_there(minizoo):
    assert minizoo("show", "nemotron-4-15b", "--check", "hub").code == 2
