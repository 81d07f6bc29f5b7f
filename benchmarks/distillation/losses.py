"""Forward KL and its gradients from hidden states, by three ways: the dense formula, minizoo's chunks, TRL's tiles.

The student is a teacher cut to half its channels: its hidden states and its head are the first half of the teacher's, so the
two distributions differ as those of a width-pruned model and its parent do, and the loss is about a nat.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.distillation.memory import Stretch

SPREAD = 2.0
"""Standard deviation of a teacher's logits."""
WARM = 64
"""Rows and vocabulary of the call that is not measured, in which libraries load what they need."""

Form = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(student hidden, student head, teacher hidden, teacher head) → the sum over tokens of KL(teacher ‖ student)."""


def dense(hidden: Tensor, weight: Tensor, said: Tensor, said_weight: Tensor) -> Tensor:
    """The formula as it is written: both logits whole, log-softmax in fp32 (or better), torch's own kl_div."""
    with torch.no_grad():
        log_p = torch.log_softmax(_exact(functional.linear(said, said_weight)), -1)
    log_q = torch.log_softmax(_exact(functional.linear(hidden, weight)), -1)
    return functional.kl_div(log_q, log_p, log_target=True, reduction="sum")


def chunked(hidden: Tensor, weight: Tensor, said: Tensor, said_weight: Tensor) -> Tensor:
    """minizoo's."""
    from zoo.distill.batch import ExactTargets, Head
    from zoo.distill.losses.chunked import chunked_divergence
    from zoo.distill.settings import LossSettings

    return chunked_divergence(hidden, Head(weight), ExactTargets(said, Head(said_weight)), None, LossSettings()).total


def trl(hidden: Tensor, weight: Tensor, said: Tensor, said_weight: Tensor) -> Tensor:
    """That of TRL's DistillationTrainer at beta = 0 (forward KL), temperature 1; it is a mean over tokens."""
    from trl.trainer.distillation_trainer import _chunked_divergence_loss  # pyright: ignore

    everything = torch.ones(1, len(hidden), dtype=torch.int64, device=hidden.device)
    mean, _, _ = _chunked_divergence_loss(hidden[None], said[None], weight, said_weight, everything, beta=0.0)
    return mean * len(hidden)


FORMS: dict[str, Form] = {"dense": dense, "chunked": chunked, "trl": trl}


class LossJob:
    """One way at one size. A turn is a forward and a backward pass of the mean over tokens."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.form, self.device = FORMS[told["form"]], told["device"]
        self.inputs = _inputs(told, getattr(torch, told["dtype"]))
        small = [part[:WARM].detach().requires_grad_(part.requires_grad) for part in self.inputs]
        self.form(*small).backward()

    def turn(self, told: dict[str, Any]) -> dict[str, Any]:
        hidden, weight, *_ = self.inputs
        hidden.grad = weight.grad = None
        with Stretch(self.device) as stretch:
            loss = self.form(*self.inputs) / len(hidden)
            loss.backward()
        assert hidden.grad is not None
        assert weight.grad is not None
        if "gradients" in told:
            for name, gradient in (("hidden", hidden.grad), ("weight", weight.grad)):
                np.save(Path(told["gradients"]) / f"{name}.npy", gradient.float().cpu().numpy())
        weights = weight.grad.numel() * weight.grad.element_size()
        return {**stretch.told(), "bytes_beside_gradient": stretch.bytes - weights, "loss": loss.item()}


def apart(theirs: Path, ours: Path) -> float:
    """‖ours − theirs‖ / ‖theirs‖ of two saved arrays, in fp64."""
    left, right = np.load(theirs, mmap_mode="r"), np.load(ours, mmap_mode="r")
    difference = whole = 0.0
    for first in range(0, len(left), WARM):
        a, b = (np.asarray(each[first : first + WARM], np.float64) for each in (left, right))
        difference += float(np.square(b - a).sum())
        whole += float(np.square(a).sum())
    return (difference / whole) ** 0.5


def _inputs(told: dict[str, Any], dtype: torch.dtype) -> list[Tensor]:
    """The four tensors, the same in every process."""
    torch.manual_seed(0)
    width, half = told["teacher_width"], told["student_width"]
    said = torch.randn(told["tokens"], width)
    said_weight = torch.randn(told["vocabulary"], width) * (SPREAD / width**0.5)
    parts = [said[:, :half].clone(), said_weight[:, :half].clone(), said, said_weight]
    made = [part.to(told["device"], dtype) for part in parts]
    return [made[0].requires_grad_(), made[1].requires_grad_(), made[2], made[3]]


def _exact(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
