"""Rates and AdamW: what decays, what a stored optimizer is filled into, what is refused."""

import doctest
import sys
from dataclasses import replace

import pytest
import torch
from support.small_training import SETTINGS

from zoo.distill.settings import TrainSettings
from zoo.distill.train import schedule
from zoo.distill.train.optimizer import check_optimizer, fill_state, make_optimizer, set_rate
from zoo.distill.train.schedule import rate_at
from zoo.errors import PackageMissing

WIDTH = TrainSettings(steps=9961, batch=1152, length=8192, rate=1e-4, least_rate=1e-5, warm_up=40)
"""Llama-3.1-Minitron-4B (arXiv 2408.11796, table 4)."""


def test_the_rate_rises_to_its_peak_and_falls_to_the_least():
    assert rate_at(0, WIDTH) == pytest.approx(1e-4 / 40)
    assert rate_at(39, WIDTH) == 1e-4
    assert rate_at(9960, WIDTH) == pytest.approx(1e-5)
    middle = 40 + (9961 - 40) // 2
    assert rate_at(middle, WIDTH) == pytest.approx((1e-4 + 1e-5) / 2, rel=1e-3)
    falling = [rate_at(step, WIDTH) for step in range(40, 9961, 97)]
    assert falling == sorted(falling, reverse=True)


def test_a_constant_rate_stays_at_the_peak_after_its_warm_up():
    settings = replace(WIDTH, schedule="constant")
    assert [rate_at(step, settings) for step in (39, 40, 5000, 20_000)] == [1e-4] * 4


def test_a_warm_up_longer_than_the_run_never_divides_by_nothing():
    settings = replace(WIDTH, steps=3)
    assert [rate_at(step, settings) for step in range(3)] == pytest.approx([2.5e-6, 5e-6, 7.5e-6])
    assert rate_at(0, replace(WIDTH, steps=1, warm_up=0)) == pytest.approx(1e-5)


def test_the_doctest_of_the_schedule_runs():
    assert doctest.testmod(schedule).failed == 0


def test_matrices_decay_and_norms_and_biases_do_not():
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4))
    optimizer = make_optimizer(module, replace(SETTINGS, weight_decay=0.5, rate=0.1))
    for parameter in module.parameters():
        parameter.data.fill_(1.0)
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.allclose(module[0].weight, torch.full((4, 4), 0.95))
    assert all(torch.equal(one, torch.ones(4)) for one in (module[0].bias, module[1].weight, module[1].bias))


def test_frozen_parameters_are_not_given_to_the_optimizer():
    module = torch.nn.Linear(4, 4)
    module.weight.requires_grad_(False)
    optimizer = make_optimizer(module, SETTINGS)
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]


def test_filling_the_state_moves_nothing():
    module = torch.nn.Linear(4, 4)
    before = module.weight.detach().clone()
    optimizer = make_optimizer(module, SETTINGS)
    fill_state(optimizer)
    assert torch.equal(module.weight, before)
    assert optimizer.param_groups[0]["lr"] == SETTINGS.rate
    assert all(not state["exp_avg"].any() for state in optimizer.state.values())
    assert module.weight.grad is None


def test_a_rate_that_is_a_tensor_is_filled_so_that_a_compiled_step_stays():
    module = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(module.parameters(), lr=torch.tensor(1.0), capturable=True)
    held = optimizer.param_groups[0]["lr"]
    set_rate(optimizer, 0.25)
    assert optimizer.param_groups[0]["lr"] is held
    assert held.item() == 0.25


def test_eight_bits_without_torchao_are_refused_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao.optim", None)
    with pytest.raises(PackageMissing, match="pip install torchao"):
        check_optimizer(replace(SETTINGS, optimizer="adamw-8bit"))
