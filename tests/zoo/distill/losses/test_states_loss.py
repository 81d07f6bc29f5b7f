"""Intermediate states are matched by one projection, and weigh as much as the logits."""

import pytest
import torch

from zoo.distill.losses.states import StateProjection, dynamic_alpha, layers_to_match, states_loss
from zoo.distill.settings import LossSettings


def drawn(tokens=6, student=4, teacher=7, pairs=2):
    make = torch.Generator().manual_seed(0)
    own = [torch.randn(tokens, student, generator=make, dtype=torch.float64, requires_grad=True) for _ in range(pairs)]
    return own, [torch.randn(tokens, teacher, generator=make, dtype=torch.float64) for _ in range(pairs)]


def test_loss_is_torchs_own_mse_times_the_tokens():
    own, said = drawn()
    projection = StateProjection(4, 7).double()
    wanted = sum(torch.nn.functional.mse_loss(projection(x), y) * 6 for x, y in zip(own, said, strict=True))
    assert torch.allclose(states_loss(own, said, projection), wanted)


def test_one_projection_serves_all_layers_and_learns():
    own, said = drawn()
    projection = StateProjection(4, 7).double()
    assert [tuple(part.shape) for part in projection.parameters()] == [(7, 4)]
    states_loss(own, said, projection).backward()
    assert all(part.grad.abs().sum() > 0 for part in (*own, *projection.parameters()))


def test_gradients_agree_with_finite_differences():
    own, said = drawn(pairs=1)
    projection = StateProjection(4, 7).double()
    assert torch.autograd.gradcheck(lambda state: states_loss([state], said, projection), own)


def test_micro_batches_add_up():
    own, said = drawn()
    projection = StateProjection(4, 7).double()
    parts = [
        states_loss([x[part] for x in own], [y[part] for y in said], projection) for part in (slice(0, 1), slice(1, 6))
    ]
    assert torch.allclose(sum(parts), states_loss(own, said, projection))


def test_equal_widths_begin_as_the_identity():
    own, _ = drawn(student=5)
    assert states_loss(own, [state.detach() for state in own], StateProjection(5, 5).double()) == 0


def test_half_precision_is_compared_in_full():
    own, said = drawn()
    low = [[state.bfloat16() for state in side] for side in (own, said)]
    found = states_loss(*low, StateProjection(4, 7))
    assert found.dtype == torch.float32


def test_alpha_makes_the_terms_equal_and_carries_no_gradient():
    own, said = drawn()
    matched = states_loss(own, said, StateProjection(4, 7).double())
    alpha = dynamic_alpha(torch.tensor(12.5, dtype=torch.float64, requires_grad=True), matched)
    assert not alpha.requires_grad
    assert torch.isclose(alpha * matched, torch.tensor(12.5, dtype=torch.float64))


def test_states_that_agree_weigh_nothing():
    assert dynamic_alpha(torch.tensor(3.0), torch.tensor(0.0)) == 0


def test_layers_are_asked_for_pair_by_pair():
    assert layers_to_match(LossSettings()) == ((), ())
    assert layers_to_match(LossSettings(states=((29, 13), (15, 7)))) == ((29, 15), (13, 7))
    assert layers_to_match(LossSettings(embedding=True)) == ((-1,), (-1,))


@pytest.mark.parametrize("said", [[], [torch.zeros(2, 3)]])
def test_pairs_must_be_pairs(said):
    with pytest.raises(ValueError, match="pair"):
        states_loss([], said, StateProjection(3, 3))
