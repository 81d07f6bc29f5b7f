"""The gradient that samples give, measured against that of the whole distribution."""

import pytest
import torch

from zoo.distill.batch import ExactTargets, Head
from zoo.distill.teacher.bias import gradient_error, gradient_error_of
from zoo.distill.teacher.cache.manifest import Sampled


@pytest.fixture(scope="module")
def measured(model, student, rows):
    from zoo.distill.teacher.live import LiveTeacher

    teacher = LiveTeacher(model, digest="x")
    forms = {
        "threshold": Sampled(k=8),
        "more": Sampled(k=32),
        "independent": Sampled(k=8, draw="independent"),
    }
    batch = rows.batch([0, 1])
    return {name: gradient_error(student, teacher, batch, form, repeats=24) for name, form in forms.items()}


@pytest.mark.parametrize("name", ["threshold", "more", "independent"])
def test_bias_is_what_chance_allows(measured, name):
    found = measured[name]
    assert found.bias < 1.5 * found.chance


def test_the_most_probable_tokens_are_further_off_than_chance(measured):
    assert measured["threshold"].top_k_bias > 3 * measured["threshold"].bias


def test_more_samples_vary_less(measured):
    assert measured["more"].variance < measured["threshold"].variance / 2


def test_threshold_samples_vary_less_than_independent_ones(measured):
    assert measured["threshold"].variance < measured["independent"].variance / 2


def test_all_tokens_have_neither_bias_nor_variance():
    made = torch.Generator().manual_seed(0)
    hidden, weight, said, own = (torch.randn(shape, generator=made) for shape in ((6, 5), (20, 5), (6, 7), (20, 7)))
    exact = ExactTargets(said, Head(own))
    found = gradient_error_of(hidden, Head(weight), exact, Sampled(k=20), repeats=3)
    assert found.bias < 1e-5
    assert found.variance < 1e-9
    assert found.positions == 6
