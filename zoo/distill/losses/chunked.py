"""The loss on logits without the logits: both heads are applied chunk by chunk, and only gradients are kept.

A chunk's gradient on its logits has a closed form, so it is computed in the forward pass, at once turned into the gradient on
the hidden states and the head's weight, and dropped. The backward pass only multiplies by what comes from above.
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
from zoo.errors import ConflictingOptions, OtherVocabulary

STRIPE = 8192
"""Vocabulary entries whose gradient is in memory twice, where it is computed in another dtype than it is kept in."""


@dataclass(frozen=True)
class LossSums:
    """Sums over tokens, never means: who divides knows the tokens of the whole optimizer step."""

    total: Tensor
    """divergence + clm · cross-entropy; what is differentiated."""
    divergence: Tensor
    """Detached, with its factor τ². For sampled targets the cross-entropy against the sample, teacher's entropy included."""
    cross_entropy: Tensor
    """Detached, of the text's own next tokens at τ = 1; 0 without labels."""
    tokens: int


def chunked_divergence(
    hidden: Tensor,
    head: Head,
    targets: ExactTargets | SampledTargets,
    labels: Tensor | None,
    settings: LossSettings,
) -> LossSums:
    """Σ over tokens of τ² · D + clm · CE, where neither the student's nor the teacher's logits are ever whole.

    With s and t the logits that `head` and the targets' head make of their hidden states, q = softmax(s / τ) and
    p = softmax(t / τ):

    - forward_kl: D = Σ p (log p − log q) (Minitron, arXiv 2407.14679, §2.4; τ = 1 is the paper's);
    - reverse_kl: D = Σ q (log q − log p) (table 15 there);
    - sampled targets: D = −Σ w log q over the sampled ids, whose gradient is an unbiased estimate of forward KL's
      (Sparse Logit Sampling, arXiv 2503.16870); the sample is of the teacher at the same τ;
    - CE = −log softmax(s)[label]. The factor τ² keeps the size of gradients as τ grows (Hinton et al., arXiv 1503.02531, §2).

    Shapes: hidden [tokens, student width], targets.hidden [tokens, teacher width] or ids and weights [tokens, k], labels
    [tokens] or None. Reduction: the sum over tokens, the vocabulary summed and never averaged. Softmax in fp32 whatever the
    dtypes (fp64 for fp64); the student's products in the dtype of its weight, or of autocast. Gradients reach `hidden`,
    `head.weight` and `head.bias`; they are computed here, so one backward pass can follow.

    Raises OtherVocabulary where the two sides' vocabularies differ, ConflictingOptions for reverse KL of a sample and for a
    text's share in the loss without the text.

    >>> weight = torch.eye(2)
    >>> hidden = torch.zeros(1, 2, requires_grad=True)
    >>> targets = ExactTargets(torch.tensor([[1.0, 0.0]]), Head(weight))
    >>> sums = chunked_divergence(hidden, Head(weight), targets, None, LossSettings())
    >>> sums.total.backward()
    >>> round(sums.divergence.item(), 4), hidden.grad
    (0.1109, tensor([[-0.2311,  0.2311]]))
    """
    _check(hidden, head, targets, labels, settings)
    work = _Work(head, targets, labels, settings, torch.is_grad_enabled())
    total, divergence, cross_entropy = _Chunked.apply(hidden, head.weight, head.bias, work)
    return LossSums(total, divergence, cross_entropy, hidden.shape[0])


def _check(
    hidden: Tensor, head: Head, targets: ExactTargets | SampledTargets, labels: Tensor | None, settings: LossSettings
) -> None:
    if isinstance(targets, ExactTargets):
        said, vocabulary = targets.hidden, targets.head.weight.shape[0]
        if vocabulary != head.weight.shape[0]:
            raise OtherVocabulary(
                f"The student's head has {head.weight.shape[0]:,} entries and the teacher's {vocabulary:,}.",
                "Distil from a teacher with the same tokenizer.",
            )
    else:
        said = targets.ids
        if settings.divergence != "forward_kl":
            raise ConflictingOptions(
                "Reverse KL needs the teacher's whole distribution, and the cache holds a sample of it.",
                "Take forward KL, the live teacher, or the exact cache.",
            )
    if labels is None and settings.clm:
        raise ConflictingOptions("The loss has a share of the text's own cross-entropy, and no labels came with it.")
    if said.shape[0] != hidden.shape[0] or (labels is not None and labels.shape[0] != hidden.shape[0]):
        raise ValueError("targets and labels must have a row for each row of hidden states")


@dataclass(frozen=True)
class _Work:
    """What the loss is made of beside the tensors that gradients reach."""

    head: Head
    targets: ExactTargets | SampledTargets
    labels: Tensor | None
    settings: LossSettings
    graded: bool


class _Chunked(torch.autograd.Function):
    """(hidden, weight, bias, work) → (total, divergence, cross-entropy), gradients of the first computed on the way."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, work: _Work) -> tuple[Tensor, ...]:
        kind = hidden.device.type
        compute = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        needed = tuple(work.graded and needs for needs in ctx.needs_input_grad[:3])
        with torch.autocast(kind, enabled=False):
            sweep = _Sweep(hidden, weight, bias, work, compute, needed)
            for first in range(0, hidden.shape[0], sweep.together):
                sweep.chunk(slice(first, first + sweep.together))
        ctx.save_for_backward(sweep.on_hidden, sweep.on_weight, sweep.on_bias)
        divergence, cross_entropy = sweep.divergence.sum(), sweep.cross_entropy.sum()
        total = divergence + work.settings.clm * cross_entropy
        ctx.mark_non_differentiable(divergence, cross_entropy)
        return total, divergence, cross_entropy

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
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
        work: _Work,
        compute: torch.dtype,
        needed: tuple[bool, ...],
    ) -> None:
        self.hidden, self.work = hidden, work
        self.weight, self.bias = weight.to(compute), None if bias is None else bias.to(compute)
        self.exact = torch.promote_types(compute, torch.float32)
        """The dtype of softmax and sums."""
        tokens, vocabulary = hidden.shape[0], weight.shape[0]
        self.together = rows_together(work.settings.chunk, vocabulary, compute.itemsize, hidden.device)
        self.at_once = rows_at_once(vocabulary, hidden.device)
        self.divergence = hidden.new_zeros(tokens, dtype=self.exact)
        self.cross_entropy = hidden.new_zeros(tokens, dtype=self.exact)
        self.on_hidden = torch.empty_like(hidden) if needed[0] else None
        self.on_weight = torch.zeros_like(weight) if needed[1] else None
        self.on_bias = None if bias is None or not needed[2] else torch.zeros_like(bias)
        self.graded = any(needed)
        rows_of_buffer = min(self.together, tokens)
        self.logits = hidden.new_empty(rows_of_buffer, vocabulary, dtype=compute)
        targets = work.targets
        self.said = None
        if isinstance(targets, ExactTargets):
            self.said = targets.hidden.new_empty(rows_of_buffer, vocabulary, dtype=targets.head.weight.dtype)

    def chunk(self, tokens: slice) -> None:
        """Sums of these tokens, and their share of the gradients."""
        hidden, targets = self.hidden[tokens].to(self.weight.dtype), self.work.targets
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
        work, settings = self.work, self.work.settings
        tokens = slice(start + part.start, start + part.stop)
        student = self.logits[part].to(self.exact, copy=True)
        slope = _finish(student, work.head)
        labels = None if work.labels is None else work.labels[tokens]
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
        if work.head.scale != 1:
            gradient *= work.head.scale
        self.logits[part] = gradient

    def _divergence(self, student: Tensor, own: rows.Distribution, tokens: slice, part: slice) -> tuple[Tensor, Tensor]:
        targets, settings = self.work.targets, self.work.settings
        if isinstance(targets, SampledTargets):
            return rows.sampled_cross_entropy(student, own, targets.ids[tokens], targets.weights[tokens])
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
