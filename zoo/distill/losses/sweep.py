"""One pass over all tokens, chunk by chunk: logits, their cost, the gradient on them, and at once what it means further down.

A chunk's gradient on its logits has a closed form (`rows`), so it is computed in the forward pass, at once turned into the
gradient on the hidden states and the head's weight, and dropped: the logits' memory is used again by the next chunk. The
backward pass only multiplies by what comes from above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.distill.batch import ExactTargets, Head, SampledTargets
from zoo.distill.losses import rows
from zoo.distill.losses.blocks import rows_at_once, rows_together
from zoo.distill.settings import LossSettings

STRIPE = 8192
"""Vocabulary entries whose gradient is in memory twice, where it is computed in another dtype than it is kept in."""


@dataclass(frozen=True)
class Terms:
    """What the loss is made of beside the tensors that gradients reach."""

    head: Head
    targets: ExactTargets | SampledTargets
    labels: Tensor | None
    settings: LossSettings
    graded: bool


class Swept(torch.autograd.Function):
    """(hidden, weight, bias, terms) → (total, divergence, cross-entropy), all gradients computed on the way."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, terms: Terms) -> tuple[Tensor, ...]:
        """Go over all tokens; keep the gradients and nothing else."""
        kind = hidden.device.type
        compute = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        needed = tuple(terms.graded and needs for needs in ctx.needs_input_grad[:3])
        with torch.autocast(kind, enabled=False):
            sweep = _Sweep(hidden, weight, bias, terms, compute, needed)
            for first in range(0, hidden.shape[0], sweep.together):
                sweep.chunk(slice(first, first + sweep.together))
        ctx.save_for_backward(sweep.on_hidden, sweep.on_weight, sweep.on_bias)
        divergence, cross_entropy = sweep.divergence.sum(), sweep.cross_entropy.sum()
        total = divergence + terms.settings.clm * cross_entropy
        ctx.mark_non_differentiable(divergence, cross_entropy)
        return total, divergence, cross_entropy

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """The kept gradients times that of the total."""
        factor = above[0]
        # In place, so that a head's gradient is in memory once. A second pass over a kept graph fails by the tensors' versions.
        unit = factor.device.type == "cpu" and factor.item() == 1
        found = [kept if kept is None or unit else kept.mul_(factor) for kept in ctx.saved_tensors]
        return (*found, None)


class _Sweep:
    """The state of one pass over all chunks: sums a token, gradients so far, and the memory that each chunk uses again."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        terms: Terms,
        compute: torch.dtype,
        needed: tuple[bool, ...],
    ) -> None:
        self.hidden, self.terms = hidden, terms
        self.weight, self.bias = weight.to(compute), None if bias is None else bias.to(compute)
        self.exact = torch.float64 if compute == torch.float64 else torch.float32
        """The dtype of softmax and sums."""
        tokens, vocabulary = hidden.shape[0], weight.shape[0]
        self.together = rows_together(terms.settings.chunk, hidden.device.type)
        self.at_once = rows_at_once(vocabulary, hidden.device.type, torch.get_num_threads())
        self.divergence = hidden.new_zeros(tokens, dtype=self.exact)
        self.cross_entropy = hidden.new_zeros(tokens, dtype=self.exact)
        self.on_hidden = torch.empty_like(hidden) if needed[0] else None
        self.on_weight = torch.zeros_like(weight) if needed[1] else None
        self.on_bias = None if bias is None or not needed[2] else torch.zeros_like(bias)
        self.graded = any(needed)
        memory = min(self.together, tokens), vocabulary
        self.logits = hidden.new_empty(memory, dtype=compute)
        """The student's, and then the gradient on them."""
        self.said = None
        """The teacher's."""
        if isinstance(terms.targets, ExactTargets):
            self.said = hidden.new_empty(memory, dtype=terms.targets.head.weight.dtype)

    def chunk(self, tokens: slice) -> None:
        """Sums of these tokens, and their share of the gradients."""
        hidden, targets = self.hidden[tokens].to(self.weight.dtype), self.terms.targets
        logits = _product(hidden, self.weight, self.bias, self.logits)
        if isinstance(targets, ExactTargets) and self.said is not None:
            head = targets.head
            _product(targets.hidden[tokens].to(head.weight.dtype), head.weight, head.bias, self.said)
        for first in range(0, hidden.shape[0], self.at_once):
            self._rows(tokens.start, slice(first, min(first + self.at_once, hidden.shape[0])))
        if self.on_hidden is not None:
            self.on_hidden[tokens] = logits @ self.weight
        if self.on_bias is not None:
            self.on_bias += logits.sum(0, dtype=self.exact)
        if self.on_weight is not None:
            _add_product(self.on_weight, logits, hidden)

    def _rows(self, start: int, part: slice) -> None:
        """Sums of rows `part` of the chunk that begins at `start`; their logits become the gradient on them."""
        terms, settings = self.terms, self.terms.settings
        tokens = slice(start + part.start, start + part.stop)
        student = self.logits[part].to(self.exact, copy=True)
        slope = _finish(student, terms.head)
        labels = None if terms.labels is None else terms.labels[tokens]
        own = rows.distribution(student)
        if labels is not None:
            self.cross_entropy[tokens] = rows.cross_entropy(student, own, labels)
        plain = own
        if settings.temperature != 1:
            own = rows.distribution(student.div_(settings.temperature))
        value, gradient = self._divergence(student, own, tokens, part)
        self.divergence[tokens] = value * settings.temperature**2
        if not self.graded:
            return
        if settings.temperature != 1:
            gradient *= settings.temperature
        if labels is not None and settings.clm:
            rows.add_cross_entropy(gradient, plain, labels, settings.clm)
        if slope is not None:
            gradient *= slope
        if terms.head.scale != 1:
            gradient *= terms.head.scale
        self.logits[part] = gradient

    def _divergence(self, student: Tensor, own: rows.Distribution, tokens: slice, part: slice) -> tuple[Tensor, Tensor]:
        targets, settings = self.terms.targets, self.terms.settings
        if isinstance(targets, SampledTargets):
            sampled = targets.ids[tokens], targets.weights[tokens], targets.entropy[tokens]
            return rows.sampled_kl(student, own, *sampled)
        assert self.said is not None
        teacher = self.said[part].to(self.exact)
        _finish(teacher, targets.head)
        if settings.temperature != 1:
            teacher /= settings.temperature
        kind = rows.forward_kl if settings.divergence == "forward_kl" else rows.reverse_kl
        return kind(student, own, teacher)


def _product(hidden: Tensor, weight: Tensor, bias: Tensor | None, memory: Tensor) -> Tensor:
    """hidden · weightᵀ + bias, in the first rows of `memory`."""
    out = memory[: hidden.shape[0]]
    return torch.mm(hidden, weight.T, out=out) if bias is None else torch.addmm(bias, hidden, weight.T, out=out)


def _finish(logits: Tensor, head: Head) -> Tensor | None:
    """What the model does to a logit, in place; where it caps, the slope of the cap is returned."""
    slope = None
    if head.softcap is not None:
        bent = logits.div_(head.softcap).tanh_()
        slope = 1 - bent * bent
        bent *= head.softcap
    if head.scale != 1:
        logits *= head.scale
    return slope


def _add_product(kept: Tensor, logits: Tensor, hidden: Tensor) -> None:
    """Add logitsᵀ · hidden to the head's gradient."""
    if kept.dtype == logits.dtype:
        kept.addmm_(logits.T, hidden)
        return
    for first in range(0, kept.shape[0], STRIPE):
        kept[first : first + STRIPE] += logits[:, first : first + STRIPE].T @ hidden
