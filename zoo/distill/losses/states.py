"""The match of intermediate states: one projection for all layers, and a weight that keeps the two losses equal in size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.distill.forward import EMBEDDING
from zoo.distill.settings import LossSettings


class StateProjection(nn.Module):
    """The learned linear map from the student's width to the teacher's, one for all layers and the embedding, without bias.

    It begins as the identity where the widths are equal (a student cut in depth alone), else as torch's own linear layer. It
    is trained with the student, and no part of it. Minitron (arXiv 2407.14679), on intermediate states.

    >>> StateProjection(2, 2)(torch.tensor([[3.0, 4.0]])).tolist()
    [[3.0, 4.0]]
    """

    def __init__(self, student: int, teacher: int) -> None:
        super().__init__()
        self.linear = nn.Linear(student, teacher, bias=False)
        if student == teacher:
            nn.init.eye_(self.linear.weight)

    def forward(self, state: Tensor) -> Tensor:
        """[tokens, student width] → [tokens, teacher width]."""
        return self.linear(state.to(self.linear.weight.dtype))


def layers_to_match(settings: LossSettings) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The teacher's and the student's layers whose states the loss reads, as `hidden_states` takes them, pair by pair.

    >>> layers_to_match(LossSettings(states=((29, 13),), embedding=True))
    ((29, -1), (13, -1))
    """
    pairs = [*settings.states, *([(EMBEDDING, EMBEDDING)] if settings.embedding else [])]
    return tuple(teacher for teacher, _ in pairs), tuple(student for _, student in pairs)


def states_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], projection: StateProjection) -> Tensor:
    """Σ over tokens and pairs of the mean over channels of (projection(student) − teacher)².

    Shapes: a pair's states are [tokens, student width] and [tokens, teacher width], normed as `hidden_states` gives them; the
    embedding's count as one pair more. Reduction: mean over the teacher's channels, sum over pairs and tokens, in fp32 or
    better. Gradients reach the student's states and the projection. Minitron (arXiv 2407.14679), L_is over the layers
    that were chosen. A departure: the distance is the mean square, where the paper (table 17) found the cosine distance best.

    >>> projection = StateProjection(2, 2)
    >>> states_loss([torch.tensor([[1.0, 1.0]])], [torch.tensor([[1.0, 3.0]])], projection).item()
    2.0
    """
    if len(student) != len(teacher) or not student:
        raise ValueError("states are matched pair by pair, and there is at least one pair")
    exact = torch.float64 if teacher[0].dtype == torch.float64 else torch.float32
    return torch.stack(
        [
            (projection(own).to(exact) - said.to(exact)).square().mean(-1).sum()
            for own, said in zip(student, teacher, strict=True)
        ]
    ).sum()


def dynamic_alpha(logits: Tensor, states: Tensor) -> Tensor:
    """α = L_logits / L_is, detached: times L_is it makes the two terms equal in size, and only their gradients differ.

    Both are sums over the same tokens (scalars), so their number falls out: of one micro-batch, or, equal for all
    micro-batches and ranks, of a whole optimizer step. Where the states already agree α is 0. Minitron (arXiv 2407.14679),
    on retraining: recomputed each step.

    >>> dynamic_alpha(torch.tensor(6.0), torch.tensor(2.0)).item()
    3.0
    """
    logits, states = logits.detach(), states.detach()
    return torch.where(states > 0, logits / states.clamp_min(torch.finfo(states.dtype).tiny), torch.zeros_like(logits))
