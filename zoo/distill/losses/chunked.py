"""The loss on logits without the logits: both heads are applied chunk by chunk, and only sums and gradients are kept."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.distill.batch import ExactTargets, Head, SampledTargets
from zoo.distill.losses.sweep import Swept, Terms
from zoo.distill.settings import LossSettings
from zoo.errors import ConflictingOptions, OtherVocabulary


@dataclass(frozen=True)
class LossSums:
    """Sums over tokens, never means: who divides knows the tokens of the whole optimizer step."""

    total: Tensor
    """divergence + clm · cross-entropy; what is differentiated."""
    divergence: Tensor
    """Detached, with its factor τ². Of sampled targets an unbiased estimate of forward KL, which may fall below 0."""
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

    - forward_kl: D = Σ p (log p − log q) (Minitron, arXiv 2407.14679, table 15; τ = 1 is the paper's);
    - reverse_kl: D = Σ q (log q − log p) (tables 15 and 16 there);
    - sampled targets: D = −Σ w log q − H over the sampled ids, H = −Σ p log p of the whole distribution: with E[w] = p an
      unbiased estimate of forward KL, in its gradient too (Sparse Logit Sampling, arXiv 2503.16870); both at the same τ;
    - CE = −log softmax(s)[label]. The factor τ² keeps the size of gradients as τ grows (Hinton et al., arXiv 1503.02531).

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
    terms = Terms(head, targets, labels, settings, torch.is_grad_enabled())
    total, divergence, cross_entropy = Swept.apply(hidden, head.weight, head.bias, terms)
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
