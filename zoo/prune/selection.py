"""From importance scores to a plan: the most important units of each axis stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InvalidScores, InvalidTarget
from zoo.prune.plan import KeptLayer, ParentIdentity, Plan, UnitSelection, check_plan, group_size
from zoo.prune.target import ChildShape, Target, child_shape

UnitScores = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """Scores that choose units; higher is more important. An axis without scores can only be kept whole.

    `heads` [layers, query heads], `ffn` [layers, neurons], `hidden` [channels]; `blocks` the cost of removing
    layers i … i+n−1, n being the number of layers removed; `layers` the cost of removing each alone.
    """

    selection: UnitSelection
    heads: UnitScores | None = None
    ffn: UnitScores | None = None
    hidden: UnitScores | None = None
    layers: UnitScores | None = None
    blocks: UnitScores | None = None


def plan_from_ranking(parent: ParentIdentity, shape: ChildShape, ranking: Ranking, head_residual: bool = False) -> Plan:
    """Keep the most important units of each axis: heads inside their group, hidden channels once for the whole network.

    Ties go to the lower index. With `blocks` the contiguous block of layers that costs least is removed, else the single
    layers that do. Raises InvalidScores where an axis is cut but has no scores, InvalidTarget where the head residual is
    impossible.
    """
    if head_residual and parent.dims.qk_norm:
        raise InvalidTarget(
            "The head residual adds to a head's query what a pruned one had, and this model norms each head's query, which "
            "takes the size of that away: no source says what is to be done then.",
            "Leave --head-residual out.",
        )
    removed = shape.drop or _removed(shape, ranking)
    kept_layers = [i for i in range(parent.dims.num_layers) if i not in removed]
    layers = tuple(
        _kept_layer(layer, shape, ranking, at, head_residual and shape.heads[at] < parent.dims.num_attention_heads)
        for at, layer in enumerate(kept_layers)
    )
    hidden = None
    if shape.hidden < parent.dims.hidden_size:
        hidden = top(_needed(ranking.hidden, "hidden"), shape.hidden)
    plan = Plan(parent=parent, hidden=hidden, layers=layers, parameters=shape.parameters, chosen=ranking.selection)  # pyright: ignore[reportCallIssue]
    check_plan(plan)
    return plan


def keep_layers(parent: ParentIdentity, kept: Sequence[int]) -> Plan:
    """The plan that keeps these layers whole and removes the others: a candidate of a depth search."""
    removed = tuple(sorted(set(range(parent.dims.num_layers)) - set(kept)))
    shape = child_shape(parent.dims, Target(drop=removed))
    return plan_from_ranking(parent, shape, Ranking(UnitSelection(method="depth candidate")))


def top(scores: UnitScores, keep: int) -> tuple[int, ...]:
    """Indices of the `keep` highest scores, ascending; of equals the lower index."""
    return tuple(sorted(int(i) for i in np.argsort(-scores, kind="stable")[:keep]))


def residual_pairs(order: Sequence[int], keep: int) -> tuple[tuple[int, int], ...]:
    """Which pruned head is folded into which kept one (arXiv 2407.14679 §2.3, one GQA group).

    `order` lists the group's L heads by falling importance. With K = `keep` and heads counted from 1 the paper has
    head_i ← head_i + (head_i − head_{2K−i+1}) for i in [K−(L−K), K]; its lower bound refers to head L+1, so i starts
    at K−(L−K)+1. Raises InvalidTarget unless L−K ≤ K.
    """
    whole = len(order)
    if whole - keep > keep:
        raise InvalidTarget(
            f"The head residual cannot fold {whole - keep} pruned heads of a group into {keep} kept ones.",
            "Keep at least half of each group, or leave --head-residual out.",
        )
    return tuple((order[i - 1], order[2 * keep - i]) for i in range(2 * keep - whole + 1, keep + 1))


def _kept_layer(layer: int, shape: ChildShape, ranking: Ranking, at: int, residual: bool) -> KeptLayer:
    dims = shape.parent
    ffn = heads = None
    merged: list[tuple[int, int]] = []
    if shape.ffn[at] < dims.ffn_hidden_size:
        ffn = top(_needed(ranking.ffn, "ffn")[layer], shape.ffn[at])
    if shape.heads[at] < dims.num_attention_heads:
        scores = _needed(ranking.heads, "heads")[layer]
        size, keep = group_size(dims), shape.heads[at] // dims.num_kv_heads
        chosen: list[int] = []
        for first in range(0, dims.num_attention_heads, size):
            order = [first + int(i) for i in np.argsort(-scores[first : first + size], kind="stable")]
            chosen.extend(sorted(order[:keep]))
            merged.extend(residual_pairs(order, keep) if residual else ())
        heads = tuple(chosen)
    return KeptLayer(parent=layer, heads=heads, ffn=ffn, merged=tuple(merged))


def _removed(shape: ChildShape, ranking: Ranking) -> set[int]:
    if not shape.removed:
        return set()
    if ranking.blocks is not None:
        first = int(np.argmin(ranking.blocks))
        return set(range(first, first + shape.removed))
    scores = _needed(ranking.layers, "layers")
    return {int(i) for i in np.argsort(scores, kind="stable")[: shape.removed]}


def _needed(scores: UnitScores | None, axis: str) -> UnitScores:
    if scores is None:
        raise InvalidScores(
            f"There are no scores to choose {axis} by.",
            "Give --calibration FILE, or --scores with a file that has this axis.",
        )
    return scores
