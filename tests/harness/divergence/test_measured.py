"""KL by blocks: the closed form in fp64, never negative, 0 of equals, the same however the blocks are cut."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr

from harness.divergence import measured
from harness.divergence.measured import NotProbabilitiesError, divergences, in_step, measure, within
from harness.divergence.positions import Asked, positions_of

POSITIONS = positions_of([Asked(tuple(range(at, at + 9)), at, at // 2) for at in range(6)])


def logits(seed, rows, vocabulary, scale=3.0):
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def rows_of(seed, vocabulary=50, scale=3.0):
    return logits(seed, len(POSITIONS), vocabulary, scale).float().log_softmax(-1)


def source(block, size):
    return lambda positions: iter(block.split(size))


def measure_all(a, b, size_a=4, size_b=7, shared=min):
    return measure(POSITIONS, source(a, size_a), source(b, size_b), shared, lambda done: None)


@given(st.integers(0, 2**31), st.floats(0.01, 30), st.floats(1e-7, 10), st.integers(2, 200))
def test_it_is_the_closed_form_of_the_exact_distributions(seed, scale, apart, vocabulary):
    """Against fp64 softmax and scipy's relative entropy; logits are what fp32 holds of them."""
    a = logits(seed, 3, vocabulary, scale).float()
    b = (a + apart * logits(seed + 1, 3, vocabulary, 1.0).float()).float()
    kl, reverse = divergences(a.log_softmax(-1), b.log_softmax(-1))
    p, q = (x.double().softmax(-1).numpy() for x in (a, b))
    assert kl == pytest.approx(rel_entr(p, q).sum(-1), rel=1e-4, abs=1e-9)
    assert reverse == pytest.approx(rel_entr(q, p).sum(-1), rel=1e-4, abs=1e-9)
    assert (kl >= 0).all()
    assert (reverse >= 0).all()


def test_models_that_are_equal_do_not_diverge_at_all():
    a = rows_of(0)
    found = measure_all(a, a.clone())
    assert not found.kl.any()
    assert not found.reverse.any()
    assert found.agree.all()
    assert (found.logprob_a == found.logprob_b).all()


def test_a_token_without_probability_counts_by_what_the_other_gives_it():
    a = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]).log()
    b = torch.tensor([[0.25, 0.25, 0.5], [0.25, 0.75, 0.0]]).log()
    kl, reverse = divergences(a, b)
    assert kl == pytest.approx([np.log(2), np.log(4)])
    assert np.isinf(reverse).all()


@pytest.mark.parametrize("sizes", [(1, 1), (3, 5), (1000, 2)])
def test_blocks_of_any_size_give_the_same(sizes, monkeypatch):
    a, b = rows_of(1), rows_of(2)
    whole = measure_all(a, b, 1000, 1000)
    monkeypatch.setattr(measured, "WIDE", {"cpu": 8 * 50})
    parts = measure_all(a, b, *sizes)
    assert np.allclose(whole.kl, parts.kl, rtol=1e-6)
    assert np.allclose(whole.reverse, parts.reverse, rtol=1e-6)
    for name in ("agree", "logprob_a", "logprob_b"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_next_tokens_are_looked_up_at_their_positions():
    a, b = rows_of(1), rows_of(2)
    found = measure_all(a, b, 5, 3)
    at, token = POSITIONS.pair_position, POSITIONS.pair_token
    assert np.array_equal(found.logprob_a, a[at, token].numpy())
    assert np.array_equal(found.logprob_b, b[at, token].numpy())
    assert np.array_equal(found.agree, (a.argmax(-1) == b.argmax(-1)).numpy())


def test_rows_of_a_head_that_the_other_lacks_are_left_out_and_the_rest_normalised_again():
    a = rows_of(1)
    padded = torch.cat([a + np.log(0.75), torch.full((len(a), 2), float(np.log(0.125)))], -1)
    found = measure_all(a, padded)
    assert found.rows == (50, 52)
    assert found.cut == pytest.approx(0.25)
    assert found.kl == pytest.approx(0, abs=1e-9)
    assert within(padded, 50)[0].exp().sum(-1).numpy() == pytest.approx(1)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_what_is_no_probability_is_told_with_its_place(value):
    a = rows_of(1)
    broken = a.clone()
    broken[17, 3] = value
    for pair in ((a, broken), (broken, a)):
        with pytest.raises(NotProbabilitiesError) as caught:
            measure_all(*pair)
        assert caught.value.position == 17


def test_one_source_that_ends_early_is_no_result():
    a = rows_of(1)
    with pytest.raises(ValueError, match="fewer positions"):
        measure_all(a, a[:-1])
    with pytest.raises(ValueError, match=f"of {len(a) - 1} positions, not of {len(a)}"):
        measure_all(a[:-1], a[:-1])


def test_blocks_may_be_numpy_arrays_and_empty():
    a = rows_of(1)
    blocks = [a[:0].numpy(), a[:3].numpy(), a[:0].numpy(), a[3:].numpy()]
    assert sum(len(ours) for ours, _ in in_step(iter(blocks), iter([a]))) == len(a)
