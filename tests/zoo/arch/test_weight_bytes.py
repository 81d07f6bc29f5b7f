"""Bytes of weights as they are stored, counted by hand on small shapes, and the peaks that count beside them."""

import pytest

from zoo.arch.dims import Dense, Rope
from zoo.arch.gpus import load_gpus
from zoo.arch.held import Held, config_dtype, held_in
from zoo.arch.parameters import count_matrices, count_parameters
from zoo.arch.roofline import decode_bytes, memory_bytes
from zoo.arch.weight_bytes import Scheme, WeightBytes, bytes_in, bytes_quantised
from zoo.errors import StorageUnknown
from zoo.registry.loader import load_registry


def dims(tied=False):
    return Dense(
        type="dense", num_layers=2, hidden_size=8, ffn_hidden_size=16, num_attention_heads=2, num_kv_heads=1, head_dim=4,
        vocab_size=10, tied_embeddings=tied, activation="relu2", norm="rmsnorm", rope=Rope(theta=10000.0),
    )  # fmt: skip


TABLE = 10 * 8
MATRICES = 2 * (8 * 8 + 2 * 8 * 4 + 8 * 8 + 2 * 8 * 16)
NORMS = 2 * 2 * 8 + 8


def test_norms_and_kept_tables_stay_in_16_bits():
    assert (count_matrices(dims()), count_parameters(dims()).total) == (MATRICES, MATRICES + NORMS + 2 * TABLE)
    found = bytes_quantised(dims(), Scheme(8, ("embedding", "head")))
    assert found == WeightBytes(MATRICES + 2 * NORMS + 4 * TABLE, 2 * TABLE)
    assert bytes_quantised(dims(), Scheme(8)) == WeightBytes(MATRICES + 2 * NORMS + 2 * TABLE, TABLE)


@pytest.mark.parametrize("kept", [("embedding",), ("head",), ("embedding", "head")])
def test_a_tied_table_is_kept_by_either_name_and_read_whole(kept):
    found = bytes_quantised(dims(tied=True), Scheme(4, kept))
    assert found == WeightBytes(MATRICES // 2 + 2 * NORMS + 2 * TABLE, 2 * TABLE)
    assert decode_bytes(dims(tied=True), 1, 0, found) == found.total


def test_groups_of_weights_bring_their_scales():
    found = bytes_quantised(dims(), Scheme(4, ("embedding", "head"), group=32, scale_bits=20))
    assert found.total == MATRICES // 2 + MATRICES // 32 * 20 // 8 + 2 * NORMS + 4 * TABLE


def test_a_step_reads_the_stored_bytes_and_only_the_rows_that_it_looks_up():
    stored = bytes_quantised(dims(), Scheme(8, ("embedding", "head")))
    assert decode_bytes(dims(), 3, 0, stored) == stored.total - 2 * TABLE + 3 * 16
    assert memory_bytes(dims(), 2, 5, stored) == stored.total + 2 * 5 * 2 * 2 * 4 * 2


def test_what_a_step_reads_is_refused_where_only_the_whole_is_known():
    with pytest.raises(StorageUnknown, match="embedding table's share"):
        decode_bytes(dims(), 1, 0, WeightBytes(1000, None))
    assert decode_bytes(dims(tied=True), 1, 0, WeightBytes(1000, None)) == 1000


def test_hybrids_keep_their_small_vectors_in_16_bits():
    hybrid = load_registry().resolve("nemotron-h-8b").architecture
    count = count_parameters(hybrid)
    vectors = count.total - count.embedding - count.head - count_matrices(hybrid)
    assert vectors > 0
    assert bytes_quantised(hybrid, Scheme(8)).total == bytes_in(hybrid, "int8").total + vectors


def test_fp8_products_count_where_the_gpu_has_units_and_bf16_ones_where_not():
    gpus = load_gpus()
    held = held_in(dims(), "float8")
    assert held.peak(gpus["h100-sxm"]) == ("float8", 1979e12)
    assert held.peak(gpus["a100-80-sxm"]) == ("bfloat16", 312e12)
    assert held_in(dims(), "int4").peak(gpus["h100-sxm"]) == ("bfloat16", 989e12)
    assert Held(WeightBytes(1, 0), ("int8",), "bfloat16", "int8").peak(gpus["h100-sxm"]) == (None, None)


@pytest.mark.parametrize(
    ("config", "dtype"),
    [({"dtype": "float16"}, "float16"), ({"torch_dtype": "float32"}, "float32"), ({"dtype": "auto"}, None), ({}, None),
     ({"dtype": "bfloat16", "text_config": {"dtype": "float32"}}, "float32")],
)  # fmt: skip
def test_the_dtype_that_a_configuration_names(config, dtype):
    assert config_dtype(config) == dtype
