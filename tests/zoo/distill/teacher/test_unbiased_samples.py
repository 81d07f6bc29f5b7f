"""Samples of a distribution have it as their expectation, in 32 bits a token, and the threshold's are the less noisy ones."""

import doctest

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.distill.batch import Head
from zoo.distill.teacher.cache import sampling
from zoo.distill.teacher.cache.entries import check_form
from zoo.distill.teacher.cache.manifest import Sampled
from zoo.distill.teacher.cache.packing import Packing
from zoo.distill.teacher.cache.sampling import most_probable, probabilities, sample, uniforms
from zoo.errors import InvalidOption

GRID = 4096
"""Values of the uniform number over which an expectation is computed."""


def distribution(seed: int, size: int = 40, heat: float = 2.0):
    made = torch.Generator().manual_seed(seed)
    return torch.softmax(heat * torch.randn(1, size, generator=made, dtype=torch.float64), -1)


def dense(drawn, size):
    ids, weights = drawn
    return torch.zeros(len(ids), size, dtype=torch.float64).scatter_add(1, ids, weights.double())


def middles(count: int = GRID):
    """The whole range of a uniform number, evenly: means over it are integrals, up to 1 / count."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


@pytest.mark.parametrize("k", [1, 3, 8, 40])
@pytest.mark.parametrize("heat", [0.1, 2.0, 20.0])
def test_expectation_of_threshold_samples_is_the_distribution(k, heat):
    p = distribution(k, heat=heat)
    drawn = sample(p.expand(GRID, -1), k, "threshold", middles()[:, None])
    assert torch.allclose(dense(drawn, 40).mean(0), p[0], atol=1 / GRID)


def test_expectation_of_one_independent_draw_is_the_distribution():
    p = distribution(1)
    drawn = sample(p.expand(GRID, -1), 1, "independent", middles()[:, None])
    assert torch.allclose(dense(drawn, 40).mean(0), p[0], atol=1 / GRID)


def test_independent_draws_count_a_token_as_often_as_it_is_hit():
    p = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64)
    drawn = sample(p, 4, "independent", torch.tensor([[0.1, 0.9, 0.3, 0.6]]))
    assert dense(drawn, 3).tolist() == [[0.5, 0.25, 0.25]]


@pytest.mark.parametrize("vocabulary", [40, 32_000, 262_144])
def test_rounding_to_whole_units_keeps_the_expectation(vocabulary):
    packing = Packing(vocabulary)
    drawn = sample(distribution(5), 6, "threshold", torch.tensor([[0.3]]))
    ids, weights = (part.expand(GRID, -1) for part in drawn)
    unpacked = packing.unpack(packing.pack((ids, weights), middles()))
    assert torch.equal(unpacked[0], ids)
    assert torch.allclose(unpacked[1].double().mean(0), weights[0], atol=2 / GRID / packing.units + 1e-7)
    assert (unpacked[1] - weights).abs().max() <= 1.001 / packing.units


@settings(deadline=None, max_examples=150)
@given(
    logits=st.lists(st.floats(-60, 60, width=32), min_size=2, max_size=30),
    k=st.integers(1, 30),
    draw=st.sampled_from(["threshold", "independent"]),
    seed=st.integers(0, 2**32),
)
def test_any_draw_sums_to_one_of_tokens_that_there_are(logits, k, draw, seed):
    p = torch.softmax(torch.tensor([logits], dtype=torch.float64), -1)
    k = min(k, len(logits))
    u = torch.rand(1, 1 + uniforms(draw, k), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    packing = Packing(len(logits))
    ids, weights = packing.unpack(packing.pack(sample(p, k, draw, u[:, 1:]), u[:, 0]))
    assert ids.shape == weights.shape == (1, k)
    assert int(ids.min()) >= 0
    assert int(ids.max()) < len(logits)
    assert float(weights.min()) >= 0
    assert abs(float(weights.sum()) - 1) < 1e-6
    assert (p.gather(1, ids)[weights > 0] > 0).all()
    held = ids[weights > 0]
    assert len(held) == len(held.unique()), "no token has its weight in two places"


def test_as_many_samples_as_tokens_are_the_distribution_itself():
    p = distribution(9, size=12)
    drawn = sample(p, 12, "threshold", torch.tensor([[0.7]]))
    assert torch.allclose(dense(drawn, 12), p)


def test_a_certain_teacher_is_told_with_certainty():
    p = torch.zeros(1, 9, dtype=torch.float64)
    p[0, 4] = 1
    for draw in ("threshold", "independent"):
        u = torch.full((1, uniforms(draw, 3)), 0.5)
        assert torch.equal(dense(sample(p, 3, draw, u), 9), p)


def test_probable_tokens_keep_their_own_probability():
    p = torch.tensor([[0.5, 0.3, *[0.2 / 50] * 50]], dtype=torch.float64)
    for u in (0.0, 0.4, 0.999):
        found = dense(sample(p, 4, "threshold", torch.tensor([[u]])), 52)
        assert found[0, :2].tolist() == [0.5, 0.3]
        assert found[0, 2:].max() == pytest.approx(0.1)


def test_threshold_samples_vary_less_than_independent_ones():
    p, k = distribution(3), 8
    u = torch.rand(2000, k, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spread = {
        draw: dense(sample(p.expand(2000, -1), k, draw, u), 40).var(0).sum() for draw in ("threshold", "independent")
    }
    assert spread["threshold"] < spread["independent"] / 2


def test_the_most_probable_tokens_alone_are_biased():
    p = distribution(3)
    found = dense(most_probable(p, 8), 40)
    assert (found - p).abs().max() > 0.01


def test_probabilities_are_of_the_head_with_its_bias_cap_and_scale():
    made = torch.Generator().manual_seed(0)
    hidden, weight, bias = (torch.randn(shape, generator=made) for shape in ((5, 8), (30, 8), (30,)))
    logits = 0.5 * 4.0 * torch.tanh((hidden @ weight.T + bias) / 4.0)
    found = probabilities(hidden, Head(weight, bias, scale=0.5, softcap=4.0), temperature=2.0)
    assert torch.allclose(found, torch.softmax(logits.double() / 2, -1), atol=1e-6)


@pytest.mark.parametrize(("k", "vocabulary"), [(4097, 32_000), (33, 32), (4, 2**23)])
def test_samples_that_cannot_be_kept_are_refused(k, vocabulary):
    with pytest.raises(InvalidOption):
        check_form(Sampled(k=k), vocabulary)


def test_the_example_runs():
    assert doctest.testmod(sampling).failed == 0
