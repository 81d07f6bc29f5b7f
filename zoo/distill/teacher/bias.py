"""What a sampled cache costs in the gradient: its bias and its variance, measured against the whole distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.distill.batch import Batch, ExactTargets, Head, SampledTargets, counted
from zoo.distill.forward import hidden_states
from zoo.distill.heads import head_of
from zoo.distill.losses.chunked import chunked_divergence
from zoo.distill.settings import LossSettings
from zoo.distill.teacher.cache.entries import draw_row
from zoo.distill.teacher.cache.manifest import Sampled
from zoo.distill.teacher.cache.packing import Packing
from zoo.distill.teacher.cache.sampling import Drawn, most_probable, probabilities

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from zoo.distill.teacher.live import LiveTeacher


@dataclass(frozen=True)
class GradientError:
    """How the gradient from samples differs from that of full forward KL, on some positions.

    The gradient is that of the sum over the positions in the student's hidden states and its head's weight; all figures are
    relative to the length of the full one, ‖g‖. Variance falls with the positions of a step, bias does not.
    """

    form: Sampled
    positions: int
    repeats: int
    bias: float
    """‖mean over the repeats − g‖ / ‖g‖."""
    chance: float
    """What `bias` would be, on average, of an unbiased sample in so many repeats: √(variance / repeats)."""
    variance: float
    """Mean of ‖sample − its mean‖² / ‖g‖² (n − 1 in the denominator)."""
    top_k_bias: float
    """`bias` of the k most probable tokens, their probabilities made to sum to 1; they have no variance."""


def gradient_error(
    student: PreTrainedModel, teacher: LiveTeacher, batch: Batch, form: Sampled, repeats: int = 32
) -> GradientError:
    """Measure on a batch's counted positions: the full gradient once, then that of each of `repeats` (at least 2) draws."""
    with torch.no_grad():
        hidden, _ = hidden_states(student, batch)
    return gradient_error_of(hidden[counted(batch)], head_of(student), teacher.targets(batch), form, repeats)


def gradient_error_of(
    hidden: Tensor, head: Head, exact: ExactTargets, form: Sampled, repeats: int = 32
) -> GradientError:
    """As `gradient_error`, of hidden states [positions, width] of the student and what the teacher says of the same ones."""
    settings = LossSettings(temperature=form.temperature)
    full = _gradient(hidden, head, exact, settings)
    mean, squares = torch.zeros_like(full), 0.0
    for repeat in range(1, repeats + 1):  # Welford's recurrence, the gradients themselves are not kept
        found = _gradient(hidden, head, _sampled(form.model_copy(update={"seed": form.seed + repeat}), exact), settings)
        off = found - mean
        mean += off / repeat
        squares += float(off @ (found - mean))
    length = float(full.norm())
    variance = squares / (repeats - 1) / length**2
    top = _as_targets(most_probable(probabilities(exact.hidden, exact.head, form.temperature), form.k))
    return GradientError(
        form=form,
        positions=len(hidden),
        repeats=repeats,
        bias=float((mean - full).norm()) / length,
        chance=(variance / repeats) ** 0.5,
        variance=variance,
        top_k_bias=float((_gradient(hidden, head, top, settings) - full).norm()) / length,
    )


def _sampled(form: Sampled, exact: ExactTargets) -> SampledTargets:
    """A draw as a cache would hold it, rounding included."""
    places = torch.arange(len(exact.hidden))
    packed, _ = draw_row(form, 0, places, exact.hidden, exact.head)
    return _as_targets(Packing(int(exact.head.weight.shape[0])).unpack(packed))


def _as_targets(drawn: Drawn) -> SampledTargets:
    return SampledTargets(
        drawn[0], drawn[1].float(), drawn[1].new_zeros(len(drawn[1])).float()
    )  # no gradient is its own


def _gradient(hidden: Tensor, head: Head, targets: ExactTargets | SampledTargets, settings: LossSettings) -> Tensor:
    """In hidden states and head weight, one vector, fp64."""
    states = hidden.detach().clone().requires_grad_()
    weight = head.weight.detach().clone().requires_grad_()
    own = Head(weight, None if head.bias is None else head.bias.detach(), head.scale, head.softcap)
    total = chunked_divergence(states, own, targets, None, settings).total
    return torch.cat([part.double().flatten() for part in torch.autograd.grad(total, [states, weight])])
