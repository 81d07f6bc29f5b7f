"""An entry's weights are counted as they are stored, or not at all; entries of a user's own registry too."""

import json
import re

import pytest

from minizoo.doctor.storage import check_cache
from zoo.errors import StorageUnknown
from zoo.registry.loader import load_registry
from zoo.registry.stored import held_entry, kv_dtype, stored_as, stored_weights

HEAD = "schema: minizoo.registry/1\nsources:\n  my-card: {kind: model_card, title: Mine}\nmodels:\n"
ENTRY = """  {name}:
    display: Mine
    group: related
    kind: base
    hub: {{id: me/{name}{files}}}
    lineage: {{parent: llama-3.1-8b, relation: [quantized], source: my-card{quantization}}}
    architecture:
      {{type: dense, num_layers: 32, hidden_size: 4096, ffn_hidden_size: 14336, num_attention_heads: 32, num_kv_heads: 8,
       head_dim: 128, vocab_size: 128256, tied_embeddings: false, max_context: 8192, activation: swiglu, norm: rmsnorm,
       rope: {{theta: 500000.0}}, hf_class: LlamaForCausalLM}}
    architecture_source: my-card
    stated: [{stated}]
"""
TABLE, MATRICES, NORMS = 128256 * 4096, 32 * (4096 * (6144 + 4096) + 3 * 4096 * 14336), 65 * 4096
PLAIN = 2 * (2 * TABLE + MATRICES + NORMS)


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """An entry with that quantisation in a file of MINIZOO_REGISTRY."""

    def plant(quantization="", stated="", files=""):
        quantization = f", quantization: {{{quantization}}}" if quantization else ""
        said = f"{{source: my-card, field: weight_bytes, value: {stated}}}" if stated else ""
        files = f", files: {{{files}, source: my-card}}" if files else ""
        file = tmp_path / "mine.yaml"
        file.write_text(HEAD + ENTRY.format(name="mine", quantization=quantization, stated=said, files=files))
        monkeypatch.setenv("MINIZOO_REGISTRY", str(file))
        return load_registry().models["mine"]

    return plant


def test_the_fp8_copies_take_what_their_cards_say():
    models = load_registry().models
    assert f"{stored_weights(models['minitron-8b-fp8']).total / 1e9:.2f}" == "10.37"
    assert f"{stored_weights(models['minitron-4b-fp8']).total / 1e9:.2f}" == "5.76"
    assert (kv_dtype(models["minitron-8b-fp8"]), kv_dtype(models["minitron-4b-fp8"])) == ("float8", "bfloat16")


def test_four_bits_in_groups_are_counted_with_their_scales(planted):
    entry = planted("scheme: awq, bits: 4, kept: [embedding, head], group_size: 128, scale_bits: 20")
    assert stored_weights(entry).total == 4 * TABLE + MATRICES // 2 + MATRICES // 128 * 20 // 8 + 2 * NORMS
    assert held_entry(entry, "mine").products == ("bfloat16",)


def test_a_stated_figure_wins_over_a_closed_form_that_it_contradicts(planted):
    near = planted("scheme: int8, bits: 8, kept: [embedding, head]", "9.08B")
    assert stored_weights(near).total == 4 * TABLE + MATRICES + 2 * NORMS
    far = planted("scheme: int8, bits: 8, kept: [embedding, head]", "9.5B")
    assert (stored_weights(far).total, stored_weights(far).embedding) == (9_500_000_000, 2 * TABLE)
    assert held_entry(far, "mine").products == ("int8",)


def test_mixed_widths_are_counted_by_what_is_stated_alone(planted, minizoo):
    entry = planted("scheme: mixed 4 and 8 bits, kept: [embedding]", "6.2B")
    assert stored_weights(entry).total == 6_200_000_000
    (point,) = minizoo("bench", "mine", "--dry-run", "--json").json()["points"]
    assert 6.2e9 - 2 * TABLE < point["decode"]["bytes"] < 6.2e9 - 2 * TABLE + 10**8


def test_what_nobody_states_is_refused_and_shown_as_unknown_never_as_bf16(planted, minizoo, tmp_path):
    entry = planted("scheme: mixed 4 and 8 bits")
    with pytest.raises(StorageUnknown):
        held_entry(entry, "mine")
    ran = minizoo("bench", "mine", "--dry-run")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "no source states how many bytes" in ran.err
    row = next(row for row in minizoo("models", "--json").json()["models"] if row["id"] == "mine")
    assert row["stored_bytes"] is None
    shown = minizoo("show", "mine").out
    assert re.search(r"stored_bytes\s+unknown", shown)
    assert f"{PLAIN:,}" not in shown
    assert "the largest model, takes" in check_cache(tmp_path).found


def test_a_whole_without_the_table_counts_memory_and_refuses_a_step(planted, minizoo):
    planted("scheme: mixed 4 and 8 bits", "6.2B")
    row = next(row for row in minizoo("models", "--json").json()["models"] if row["id"] == "mine")
    assert row["stored_bytes"] == 6_200_000_000
    ran = minizoo("bench", "mine", "--dry-run", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "storage-unknown")


def test_a_plain_model_in_fp32_is_counted_so_and_an_assumed_dtype_is_said(planted):
    assert stored_weights(planted(files="dtype: float32")).total == 2 * PLAIN
    assert stored_as(planted(files="dtype: float32")) == "float32"
    assert stored_weights(planted()).total == PLAIN
    assert "assumed" in stored_as(planted())
    assert stored_weights(planted(stated="32.1B")).total == 32_100_000_000


def test_a_dry_run_of_fp8_counts_its_bytes_cache_and_peaks(minizoo):
    told = minizoo("bench", "minitron-8b-fp8", "--dry-run", "--json").json()
    (point,) = told["points"]
    assert point["decode"]["bytes"] == 10_369_384_448 - 256_000 * 8192 + 8192 + 191 * 65_536
    assert point["memory"] == 10_369_384_448 + 256 * 65_536
    products = {row["gpu"]: row["products"] for row in point["ceilings"]}
    assert (products["a100-80-sxm"], products["h100-sxm"]) == ("bfloat16", "float8")
    text = minizoo("bench", "minitron-8b-fp8", "--dry-run").out
    assert "as stored: fp8, static activations and KV cache; embedding and head in 16 bits" in text
    assert "The KV cache is counted in float8." in text


def test_a_dry_run_in_bfloat16_says_that_the_model_is_stored_otherwise(minizoo):
    told = minizoo("bench", "minitron-8b-fp8", "--dry-run", "--dtype", "bfloat16", "--json").json()
    plain = minizoo("bench", "minitron-8b", "--dry-run", "--json").json()
    assert told["points"][0]["decode"] == plain["points"][0]["decode"]
    assert told["dtype"].startswith("bfloat16, not as stored (fp8")


def test_the_list_of_models_counts_what_is_stored(minizoo):
    rows = {row["id"]: row for row in minizoo("models", "--json").json()["models"]}
    assert rows["minitron-8b-fp8"]["stored_bytes"] == 10_369_384_448
    assert rows["minitron-8b-fp8"]["kv_bytes_per_token"] * 2 == rows["minitron-8b"]["kv_bytes_per_token"]
    assert "10.4 GB" in next(
        line for line in minizoo("models", "--markdown").out.splitlines() if "`minitron-8b-fp8`" in line
    )
    assert json.dumps(rows)


def test_prune_refuses_a_quantised_parent_before_anything_is_fetched(minizoo):
    ran = minizoo("prune", "--parent", "minitron-8b-fp8", "--recipe", "minitron-4b", "--plan-only", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "unsupported-dtype")
    assert minizoo("prune", "--parent", "minitron-8b", "--recipe", "minitron-4b", "--plan-only").code == 0
