"""AdamW over what is trained: in fp32, or with its moments in eight bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from zoo.distill.settings import TrainSettings
from zoo.errors import PackageMissing

EPSILON = 1e-8
"""torch's own; the papers of the Minitron family name none."""


def make_optimizer(module: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW over the parameters that take a gradient; matrices decay, norms and biases do not, as in Megatron-LM.

    adamw: fp32 moments, fused, so that no temporary is as large as a parameter. adamw-8bit: torchao's, whose moments take
    2 bytes a parameter in place of 8. Raises PackageMissing where torchao is not installed.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [one for one in trained if one.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "adamw-8bit":
        return _eight_bit(groups, settings)
    return torch.optim.AdamW(groups, lr=settings.rate, betas=settings.betas, eps=EPSILON, fused=True)


def check_optimizer(settings: TrainSettings) -> None:
    """Raise PackageMissing where the optimizer's package is not installed, before a model is loaded."""
    if settings.optimizer == "adamw-8bit":
        _adamw_8bit()


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the next step have this learning rate."""
    for group in optimizer.param_groups:
        held = group["lr"]
        if isinstance(held, torch.Tensor):  # torchao compiles its step, and a number would compile it anew each time
            held.fill_(rate)
        else:
            group["lr"] = rate


def fill_state(optimizer: torch.optim.Optimizer) -> None:
    """Make the moments of an optimizer that has taken no step, all zero, so that stored ones can be put in their place."""
    rates = [group["lr"] for group in optimizer.param_groups]
    rates = [float(rate) for rate in rates]
    set_rate(optimizer, 0.0)  # without a rate nothing moves and nothing decays
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _eight_bit(groups: list[dict[str, Any]], settings: TrainSettings) -> torch.optim.Optimizer:
    return _adamw_8bit()(groups, lr=settings.rate, betas=settings.betas, eps=EPSILON)


def _adamw_8bit() -> Any:
    try:
        from torchao.optim import AdamW8bit  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise PackageMissing(
            "adamw-8bit is torchao's optimizer, and torchao is not installed.",
            "Run `pip install torchao`, or take --optimizer adamw.",
        ) from None
    return AdamW8bit
