"""What is allowed, by dtype and size."""

import pytest

from backends.conformance.tolerances import COARSEST, FP32, MOST, tolerance

SMALL = {"model_type": "llama", "num_hidden_layers": 6, "hidden_size": 144}
LARGE = {"model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096}


def test_fp32_is_allowed_little_and_a_large_model_more():
    assert FP32 <= tolerance("float32", SMALL).token < 2 * FP32
    assert 2 * FP32 < tolerance("float32", LARGE).token <= MOST


def test_a_shifted_row_is_never_allowed():
    """It costs whole nats on every token."""
    for dtype in ("float32", "float16", "bfloat16", "int4"):
        assert tolerance(dtype, LARGE).mean < 1


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "int4", "what is this"])
def test_an_unknown_dtype_has_the_coarsest_row(dtype):
    assert tolerance(dtype, SMALL) is COARSEST


def test_finer_types_are_allowed_less():
    rows = [tolerance(dtype, SMALL) for dtype in ("float32", "float16", "bfloat16", "int4")]
    assert [row.token for row in rows] == sorted(row.token for row in rows)
    assert [row.mean for row in rows] == sorted(row.mean for row in rows)


def test_sums_are_allowed_as_independent_roundings_add_up():
    one = tolerance("float32", SMALL)
    assert one.of_sum(100) == pytest.approx(10 * one.token)


def test_a_config_without_sizes_has_the_floor():
    assert tolerance("float32", {"model_type": "novel"}).token == FP32
