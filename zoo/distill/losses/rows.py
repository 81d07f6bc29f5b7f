"""What some rows of logits cost and the gradient on them, in closed form. Pure functions, `[rows, vocabulary]`, no reduction.

All are of logits already divided by the temperature. An argument that is said to be consumed is working memory and holds
something else afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Distribution:
    """A softmax over the vocabulary: its probabilities and log Σ exp of its logits, [rows, vocabulary] and [rows, 1]."""

    probabilities: Tensor
    log_sum: Tensor


def distribution(logits: Tensor) -> Distribution:
    """The softmax of logits, [rows, vocabulary], with one exponential a logit.

    log Σ exp is read off the likeliest token, whose log-probability is its logit minus it: its probability is at least 1 / V,
    so nothing is lost to rounding.
    """
    probabilities = torch.softmax(logits, -1)
    log_sum = logits.amax(-1, keepdim=True) - probabilities.amax(-1, keepdim=True).log()
    return Distribution(probabilities, log_sum)


def forward_kl(student: Tensor, own: Distribution, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """KL(p ‖ q) = Σ p (log p − log q) of each row, and its gradient q − p on the student's logits; p the teacher's.

    `own` is the student's distribution; `teacher` is consumed. Minitron (arXiv 2407.14679), table 15.

    >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    >>> forward_kl(student, distribution(student), teacher)
    (tensor([0.]), tensor([[0., 0.]]))
    """
    said = distribution(teacher)
    log_ratio = teacher.sub_(student).sub_(said.log_sum - own.log_sum)
    value = log_ratio.mul_(said.probabilities).sum(-1)  # a sum by halves: a dot product of 128k terms loses a digit
    return value, torch.sub(own.probabilities, said.probabilities, out=said.probabilities)


def reverse_kl(student: Tensor, own: Distribution, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """KL(q ‖ p) = Σ q (log q − log p) of each row, and its gradient q (log q − log p − KL) on the student's logits.

    `own` is the student's distribution; `teacher` is consumed. Minitron (arXiv 2407.14679), tables 15 and 16.

    >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    >>> [found.abs() for found in reverse_kl(student, distribution(student), teacher)]
    [tensor([0.]), tensor([[0., 0.]])]
    """
    said_log_sum = torch.logsumexp(teacher, -1, keepdim=True)
    log_ratio = torch.sub(student, teacher, out=teacher).sub_(own.log_sum - said_log_sum)
    value = (own.probabilities * log_ratio).sum(-1)
    return value, log_ratio.sub_(value[:, None]).mul_(own.probabilities)


def sampled_kl(
    student: Tensor, own: Distribution, ids: Tensor, weights: Tensor, entropy: Tensor
) -> tuple[Tensor, Tensor]:
    """−Σ w log q − H over a row's sampled ids, [rows, k], and its gradient q − Σ w onehot on the student's logits.

    `entropy` is the H(p) = −Σ p log p of the teacher's whole distribution, [rows]. KL(p ‖ q) = −Σ p log q − H(p) is linear in
    the p of its first term, so where the weights are an unbiased estimate of p, value and gradient are of KL's; the value of a
    row may then be negative. An id may come more than once. Sparse Logit Sampling (arXiv 2503.16870), random sampling; the
    entropy is added here.

    >>> student, half = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.5, 0.5]])
    >>> sampled_kl(student, distribution(student), torch.tensor([[1, 1]]), half, torch.tensor([0.5]))
    (tensor([0.1931]), tensor([[ 0.5000, -0.5000]]))
    """
    weights = weights.to(student.dtype)
    value = (weights * (own.log_sum - student.gather(-1, ids))).sum(-1) - entropy
    return value, own.probabilities.clone().scatter_add_(-1, ids, -weights)


def cross_entropy(student: Tensor, own: Distribution, labels: Tensor) -> Tensor:
    """−log q of each row's label, [rows]. Its gradient is q − onehot, which `add_cross_entropy` adds.

    >>> student = torch.tensor([[0.0, 0.0]])
    >>> cross_entropy(student, distribution(student), torch.tensor([1]))
    tensor([0.6931])
    """
    return (own.log_sum - student.gather(-1, labels[:, None]))[:, 0]


def add_cross_entropy(gradient: Tensor, own: Distribution, labels: Tensor, weight: float) -> None:
    """Add weight · (q − onehot) to the gradient, in place."""
    gradient.add_(own.probabilities, alpha=weight)
    index = labels[:, None]
    gradient.scatter_add_(-1, index, torch.full_like(index, -weight, dtype=gradient.dtype))
