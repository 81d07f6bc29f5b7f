"""bf16 products with fp32 weights, and activations computed twice: the same numbers by other ways."""

from dataclasses import replace

import pytest
import torch
from support.small_training import SETTINGS, small_rows, small_student, small_teacher

from zoo.distill.settings import LossSettings
from zoo.distill.train.objective import Objective
from zoo.distill.train.parallel import layers_of, spread
from zoo.distill.train.units import compute_in
from zoo.distill.train.world import World
from zoo.errors import UnsupportedArchitecture

ALONE = World(torch.device("cpu"))


def gradients(module, batch, targets):
    module(batch, targets)[0].backward()
    return {name: one.grad.clone() for name, one in module.named_parameters()}


@pytest.fixture(scope="module")
def given():
    batch = small_rows().batch([0, 1])
    return batch, small_teacher().targets(batch)


def test_casting_unit_by_unit_is_the_model_in_bf16(given):
    student = small_student()
    for parameter in student.parameters():  # not the buffers: rotary frequencies stay in fp32 in both
        parameter.data = parameter.data.to(torch.bfloat16)
    whole = Objective(student, LossSettings(chunk=16))
    cast = spread(Objective(small_student(), LossSettings(chunk=16)), replace(SETTINGS, dtype="bfloat16"), ALONE)
    assert torch.equal(whole(*given)[0], cast(*given)[0])
    expected, found = gradients(whole, *given), gradients(cast, *given)
    for name, gradient in found.items():
        assert gradient.dtype == torch.float32
        assert torch.equal(gradient.to(torch.bfloat16), expected[name]), name


def test_weights_stand_in_fp32_again_after_each_pass_and_after_an_error(given):
    objective = spread(Objective(small_student(), LossSettings()), replace(SETTINGS, dtype="bfloat16"), ALONE)
    held = dict(objective.named_parameters())
    objective(*given)
    with pytest.raises(AttributeError):
        objective(None, None)
    assert {name: id(one) for name, one in objective.named_parameters()} == {
        name: id(one) for name, one in held.items()
    }
    assert all(one.dtype == torch.float32 for one in held.values())


def test_a_tied_weight_has_one_cast():
    student = small_student()
    seen = []
    head, table = student.lm_head, student.model.embed_tokens
    student.forward = lambda: seen.append((head.weight, table.weight))
    compute_in(torch.bfloat16, student, [])
    student()
    assert seen[0][0] is seen[0][1]
    assert seen[0][0].dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_activations_computed_twice_give_the_same_gradients(dtype, given):
    once, twice = (
        spread(
            Objective(small_student(), LossSettings(chunk=16)),
            replace(SETTINGS, dtype=dtype, checkpoint_activations=checkpoints),
            ALONE,
        )
        for checkpoints in (False, True)
    )
    expected, found = gradients(once, *given), gradients(twice, *given)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_activations_computed_twice_are_not_kept(given):
    def kept(checkpoints):
        module = spread(
            Objective(small_student(num_hidden_layers=8), LossSettings(chunk=16)),
            replace(SETTINGS, checkpoint_activations=checkpoints),
            ALONE,
        )
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda one: sizes.append(one.numel()) or one, lambda one: one):
            module(*given)
        return sum(sizes)

    assert kept(True) < kept(False) / 4


def test_frozen_weights_are_held_in_what_is_computed_in():
    student = small_student()
    student.model.embed_tokens.weight.requires_grad_(False)
    spread(Objective(student, LossSettings()), replace(SETTINGS, dtype="bfloat16"), ALONE)
    assert student.model.embed_tokens.weight.dtype == torch.bfloat16
    assert student.model.norm.weight.dtype == torch.float32


def test_a_model_whose_layers_are_not_found_is_refused():
    model = small_student()
    del model.model.layers
    with pytest.raises(UnsupportedArchitecture, match="decoder layers of LlamaForCausalLM"):
        layers_of(model)
