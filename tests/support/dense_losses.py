"""The losses of a distillation by their plain formulas, all logits in memory at once: what the chunked ones must equal."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from zoo.distill.batch import ExactTargets, Head, SampledTargets
from zoo.distill.settings import LossSettings


@dataclass(frozen=True)
class DenseSums:
    total: Tensor
    divergence: Tensor
    cross_entropy: Tensor
    tokens: int


def dense_logits(hidden: Tensor, head: Head) -> Tensor:
    logits = functional.linear(hidden, head.weight, head.bias)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if head.softcap is not None:
        logits = head.softcap * torch.tanh(logits / head.softcap)
    return logits * head.scale


def dense_divergence(
    hidden: Tensor,
    head: Head,
    targets: ExactTargets | SampledTargets,
    labels: Tensor | None,
    settings: LossSettings,
) -> DenseSums:
    student = dense_logits(hidden, head)
    log_q = torch.log_softmax(student / settings.temperature, -1)
    if isinstance(targets, SampledTargets):
        cross = -(targets.weights.to(log_q.dtype) * log_q.gather(-1, targets.ids)).sum()
        divergence = cross - targets.entropy.sum()
    else:
        with torch.no_grad():
            log_p = torch.log_softmax(dense_logits(targets.hidden, targets.head) / settings.temperature, -1)
        forward = settings.divergence == "forward_kl"
        said, saying = (log_p, log_q) if forward else (log_q, log_p)
        divergence = functional.kl_div(saying, said, log_target=True, reduction="sum")
    divergence = divergence * settings.temperature**2
    cross_entropy = log_q.new_zeros(())
    if labels is not None:
        cross_entropy = functional.cross_entropy(student, labels, reduction="sum")
    total = divergence + settings.clm * cross_entropy
    return DenseSums(total, divergence.detach(), cross_entropy.detach(), hidden.shape[0])
