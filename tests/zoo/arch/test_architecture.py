"""Parameters, caches and FLOPs from dimensions alone, against published counts, transformers and slow definitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.arch.dims import Dense, Rope
from zoo.arch.parameters import (
    count_parameters,
    flops_per_token,
    kv_bytes_per_token,
    prefill_flops,
    state_bytes,
)
from zoo.arch.roofline import decode_bytes, largest_batch
from zoo.arch.weight_bytes import Scheme, bytes_quantised, weight_bytes
from zoo.errors import InputError
from zoo.registry.loader import load_registry

# reference/compression.md §2.1: total, without embedding and head, KV cache a token in KiB (bf16)
GOLDEN = {
    "nemotron-4-15b": (15_628_775_424, 12_483_047_424, 128),
    "nemotron-3-8b": (8_540_135_424, 6_442_983_424, 512),
    "minitron-8b": (8_271_699_968, 6_174_547_968, 128),
    "minitron-4b": (4_190_509_056, 2_617_645_056, 128),
    "nemotron-mini-4b-instruct": (4_190_509_056, 2_617_645_056, 128),
    "llama-3.1-8b": (8_030_261_248, 6_979_588_096, 128),
    "llama-3.1-minitron-4b-width": (4_512_746_496, 3_724_741_632, 128),
    "llama-3.1-minitron-4b-depth": (4_540_469_248, 3_489_796_096, 64),
    "mistral-nemo-12b": (12_247_782_400, 10_905_605_120, 160),
    "mistral-nemo-minitron-8b": (8_414_105_600, 7_340_363_776, 160),
    "mistral-nemo-minitron-8b-instruct": (8_414_105_600, 7_340_363_776, 160),
    "nemotron-h-8b": (8_100_852_736, None, 16),
    "nemotron-h-4b": (4_489_223_040, None, 16),
    "nemotron-nano-12b-v2": (12_310_001_152, None, 24),
    "nemotron-nano-9b-v2": (8_888_227_328, None, 16),
}


@pytest.mark.parametrize(("name", "total", "inner", "kib"), [(name, *row) for name, row in GOLDEN.items()])
def test_closed_form_reproduces_the_published_counts_to_the_unit(name, total, inner, kib):
    dims = load_registry().resolve(name).architecture
    count = count_parameters(dims)
    assert count.total == total
    assert inner is None or count.non_embedding == inner
    assert kv_bytes_per_token(dims) == kib * 1024


def test_every_entry_has_as_many_parameters_as_transformers_builds():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    counted: dict[str, int] = {}
    for model in load_registry().models.values():
        dims = model.architecture
        if dims.model_dump_json() not in counted:
            kind = getattr(transformers, dims.hf_class)
            with torch.device("meta"):
                built = kind(kind.config_class(**_config(dims)))
            counted[dims.model_dump_json()] = sum(weight.numel() for weight in built.parameters())
        assert count_parameters(dims).total == counted[dims.model_dump_json()], model.id


def test_parts_add_up_to_the_total():
    for model in load_registry().models.values():
        count = count_parameters(model.architecture)
        assert count.total == count.embedding + count.head + sum(count.per_layer) + count.final_norm, model.id
        assert len(count.per_layer) == model.architecture.num_layers


# reference/performance.md §4.4: GB read by a decode step at batch 1 without context
@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("minitron-8b", 14.45),
        ("minitron-4b", 6.81),
        ("mistral-nemo-minitron-8b", 15.75),
        ("mistral-nemo-12b", 23.15),
        ("llama-3.1-minitron-4b-width", 8.24),
        ("llama-3.1-minitron-4b-depth", 8.03),
        ("llama-3.1-8b", 15.01),
    ],
)
def test_decode_step_reads_the_weights_without_the_embedding_table(name, gigabytes):
    dims = load_registry().resolve(name).architecture
    assert decode_bytes(dims) / 1e9 == pytest.approx(gigabytes, abs=0.005)


def test_tied_embedding_is_read_as_the_head():
    dims = load_registry().resolve("llama-3.2-1b").architecture
    assert decode_bytes(dims) == weight_bytes(dims)


def test_fp8_copy_is_as_large_as_its_files():
    # three safetensors files of 4.99, 3.28 and 2.1 GB; lm_head and the embedding stay in 16 bits
    dims = load_registry().resolve("minitron-8b-fp8").architecture
    assert bytes_quantised(dims, Scheme(8, ("embedding", "head"))).total / 1e9 == pytest.approx(
        4.99 + 3.28 + 2.10, abs=0.01
    )


def test_hybrid_keeps_a_state_that_does_not_grow():
    dims = load_registry().resolve("nemotron-h-8b").architecture
    per_layer = 128 * 64 * 128 + (128 * 64 + 2 * 8 * 128) * 4
    assert state_bytes(dims) == 24 * per_layer * 2
    assert decode_bytes(dims, 1, 1000) - decode_bytes(dims, 1, 0) == 1000 * kv_bytes_per_token(dims)


def test_a_batch_without_context_is_refused():
    with pytest.raises(InputError, match="has no batch"):
        largest_batch(load_registry().resolve("minitron-8b").architecture, 10**10, 0)


@st.composite
def small_dims(draw):
    kv = draw(st.integers(1, 4))
    return Dense(
        type="dense", num_layers=draw(st.integers(1, 4)), hidden_size=draw(st.integers(1, 64)),
        ffn_hidden_size=draw(st.integers(1, 64)), num_attention_heads=kv * draw(st.integers(1, 4)), num_kv_heads=kv,
        head_dim=draw(st.integers(1, 16)), vocab_size=draw(st.integers(1, 100)),
        tied_embeddings=draw(st.booleans()), activation=draw(st.sampled_from(["relu2", "swiglu"])),
        norm=draw(st.sampled_from(["rmsnorm", "layernorm1p"])), rope=Rope(theta=10000.0),
    )  # fmt: skip


@given(small_dims(), st.integers(1, 40))
def test_prefill_costs_what_its_tokens_cost_one_by_one(dims, tokens):
    assert prefill_flops(dims, tokens) == sum(flops_per_token(dims, seen) for seen in range(tokens))


@given(small_dims(), st.integers(1, 1000), st.integers(0, 50))
def test_largest_batch_fits_and_one_more_does_not(dims, context, batch):
    memory = weight_bytes(dims) + batch * context * kv_bytes_per_token(dims)
    assert largest_batch(dims, memory, context) == batch
    assert largest_batch(dims, memory - 1, context) == max(0, batch - 1)


@given(small_dims())
def test_parameters_are_the_sum_of_the_tensors(dims):
    heads, kv, width, hidden, ffn = (
        dims.num_attention_heads, dims.num_kv_heads, dims.head_dim, dims.hidden_size, dims.ffn_hidden_size,
    )  # fmt: skip
    norm = [hidden] * (2 if dims.norm == "layernorm1p" else 1)
    tensors = [dims.vocab_size * hidden] * (1 if dims.tied_embeddings else 2) + norm
    for _ in range(dims.num_layers):
        tensors += [hidden * heads * width, hidden * kv * width, hidden * kv * width, heads * width * hidden]
        tensors += [hidden * ffn] * (3 if dims.activation == "swiglu" else 2) + norm + norm
    assert count_parameters(dims).total == sum(tensors)


def _config(dims) -> dict:
    shared = {
        "hidden_size": dims.hidden_size, "intermediate_size": dims.ffn_hidden_size, "vocab_size": dims.vocab_size,
        "num_attention_heads": dims.num_attention_heads, "num_key_value_heads": dims.num_kv_heads,
        "head_dim": dims.head_dim, "tie_word_embeddings": dims.tied_embeddings, "pad_token_id": 0,
    }  # fmt: skip
    if isinstance(dims, Dense):
        return {**shared, "num_hidden_layers": dims.num_layers}
    return {
        **shared, "hybrid_override_pattern": dims.pattern, "mamba_num_heads": dims.mamba_num_heads,
        "mamba_head_dim": dims.mamba_head_dim, "ssm_state_size": dims.mamba_state_dim, "n_groups": dims.mamba_groups,
        "conv_kernel": dims.mamba_conv_kernel,
    }  # fmt: skip
