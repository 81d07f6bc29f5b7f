"""Sparse samples of a distribution over the vocabulary whose expectation is the distribution itself.

The gradient of forward KL in the student's logits is q − p, linear in the teacher's p, so with a sample w̃ in p's place its
expectation is the full gradient where E[w̃] = p ("Sparse Logit Sampling", arXiv 2503.16870). The k most probable tokens alone
would not do: what lies below them is lost, and the student is taught to be surer than its teacher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from zoo.distill.batch import Head
    from zoo.distill.teacher.cache.manifest import Draw

Drawn = tuple[Tensor, Tensor]
"""Token ids [positions, k] and their weights, which sum to 1 a position; ids of weight 0 may repeat others."""


def probabilities(hidden: Tensor, head: Head, temperature: float = 1.0) -> Tensor:
    """The distributions [positions, vocabulary] that a head gives to hidden states, softmax in fp32, in fp64."""
    logits = torch.nn.functional.linear(hidden, head.weight, head.bias).float()
    if head.softcap is not None:
        logits = head.softcap * torch.tanh(logits / head.softcap)
    p = torch.softmax(logits * (head.scale / temperature), dim=-1).double()
    return p / p.sum(-1, keepdim=True)


def uniforms(draw: Draw, k: int) -> int:
    """How many uniform numbers a position's draw takes."""
    return 1 if draw == "threshold" else k


def sample(p: Tensor, k: int, draw: Draw, u: Tensor) -> Drawn:
    """Samples of `p` [positions, vocabulary] by uniform numbers `u` [positions, uniforms(draw, k)].

    `independent`: the paper's, k draws with replacement from p itself (its Random Sampling, proposal p), each of weight 1/k;
    a token that is drawn twice has the weight of both. `threshold`: of all unbiased samples of k tokens the one with the least
    Σ Var(w̃): tokens at least as probable as c keep their own probability, the others share what is left in equal weights c
    (Fearnhead and Clifford, J. R. Stat. Soc. B 65(4), 2003, optimal resampling). It departs from the paper, and costs
    the same bytes.

    >>> p = torch.tensor([[0.7, 0.2, 0.06, 0.04]], dtype=torch.float64)
    >>> ids, weights = sample(p, 2, "threshold", torch.tensor([[0.9]]))
    >>> ids.tolist(), [round(weight, 3) for weight in weights[0].tolist()]
    ([[0, 3]], [0.7, 0.3])
    """
    return _threshold(p, k, u[:, 0]) if draw == "threshold" else _independent(p, k, u)


def most_probable(p: Tensor, k: int) -> Drawn:
    """The k most probable tokens, their probabilities made to sum to 1: the field's biased way, to compare with."""
    top, ids = p.topk(k)
    return ids, top / top.sum(-1, keepdim=True)


def _threshold(p: Tensor, k: int, u: Tensor) -> Drawn:
    """c solves Σ min(p/c, 1) = k. It is found among the k most probable: with j of them kept, c = what is left / (k − j), and
    the first j whose next token is not above that c is the number kept."""
    top, ids = p.topk(k)
    place = torch.arange(k, device=p.device)
    left = (1 - (top.cumsum(1) - top)).clamp(min=0)
    c = left / (k - place)
    below = top <= c
    below[:, -1] = True  # true of exact numbers: one token is no more than all that is left
    kept = below.int().argmax(1, keepdim=True)
    c = c.gather(1, kept)
    is_kept = place < kept
    others = p.scatter(1, ids, torch.where(is_kept, 0.0, top))
    # one number for all draws, a c apart: nothing less probable than c can be hit twice
    drawn = _hit(others.cumsum(1), (u[:, None] + place - kept).clamp(min=0) * c)
    return torch.where(is_kept, ids, drawn), torch.where(is_kept, top, c)


def _independent(p: Tensor, k: int, u: Tensor) -> Drawn:
    reached = p.cumsum(1)
    ids = _hit(reached, u * reached[:, -1:]).sort(1).values
    first = torch.ones_like(ids, dtype=torch.bool)
    first[:, 1:] = ids[:, 1:] != ids[:, :-1]
    of_token = first.cumsum(1) - 1  # the number of the distinct token that stands there
    each = p.new_full(ids.shape, 1 / k)
    together = torch.zeros_like(each).scatter_add(1, of_token, each)
    return ids, torch.where(first, together.gather(1, of_token), 0.0)


def _hit(reached: Tensor, points: Tensor) -> Tensor:
    """The tokens in whose share of the running sum the points fall; tokens of probability 0 are never hit by rounding."""
    whole = reached[:, -1:]
    inside = torch.minimum(points, torch.nextafter(whole, torch.zeros_like(whole)))
    return torch.searchsorted(reached, inside.contiguous(), right=True).clamp(max=reached.shape[1] - 1)
