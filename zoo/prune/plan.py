"""A pruning plan: which units of which parent stay, chosen by what. A small JSON, checked against the parent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from zoo.arch.dims import Dense
from zoo.errors import InputError
from zoo.prune.indices import Kept
from zoo.prune.target import ChildShape
from zoo.strict import Count, Strict

Ranks = NDArray[np.float64]


class KeptLayer(Strict):
    """A layer of the child: the parent's layer it was, and its kept query heads and neurons (None: all)."""

    parent: int = Field(ge=0)
    heads: Kept | None = None
    ffn: Kept | None = None
    merged: tuple[tuple[int, int], ...] = Field((), description="Head residual: (kept head, pruned head) pairs.")


class Choice(Strict):
    """What the units were chosen by: the method in words, and digests of the scores and the data behind them."""

    method: str
    scores_digest: str | None = None
    calibration: str | None = None
    calibration_digest: str | None = None
    selection_tasks: tuple[str, ...] = ()


class ParentIdentity(Strict):
    """Which parent a plan is for. Without a digest (a plan made from dimensions alone) only the dimensions bind."""

    name: str
    digest: str | None = None
    dims: Dense


class Plan(Strict):
    """Index sets in the parent's numbering and where they came from. `hidden` is one set for the whole network."""

    schema_: Literal["minizoo.plan/1"] = Field("minizoo.plan/1", alias="schema")
    parent: ParentIdentity
    hidden: Kept | None = None
    layers: tuple[KeptLayer, ...] = Field(min_length=1)
    parameters: Count
    chosen: Choice

    @property
    def shape(self) -> ChildShape:
        """The child's dimensions, as the index sets have them."""
        whole = self.parent.dims
        return ChildShape(
            parent=whole,
            hidden=whole.hidden_size if self.hidden is None else len(self.hidden),
            ffn=tuple(whole.ffn_hidden_size if k.ffn is None else len(k.ffn) for k in self.layers),
            heads=tuple(whole.num_attention_heads if k.heads is None else len(k.heads) for k in self.layers),
            drop=tuple(sorted(set(range(whole.num_layers)) - {k.parent for k in self.layers})),
        )

    def text(self) -> str:
        """The plan as JSON."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"

    def digest(self) -> str:
        """sha256 of the plan's JSON."""
        return hashlib.sha256(self.text().encode()).hexdigest()


@dataclass(frozen=True)
class Ranking:
    """Scores that choose units, the higher the dearer. An axis without scores can only be kept whole.

    `heads` [layers, query heads], `ffn` [layers, neurons], `hidden` [channels]; `blocks` the cost of removing the
    layers i … i+n−1, n being the number that goes; `layers` the cost of removing each alone.
    """

    choice: Choice
    heads: Ranks | None = None
    ffn: Ranks | None = None
    hidden: Ranks | None = None
    layers: Ranks | None = None
    blocks: Ranks | None = None


def make_plan(parent: ParentIdentity, shape: ChildShape, ranking: Ranking, head_residual: bool = False) -> Plan:
    """Choose the dearest units of each axis: heads inside their group, hidden channels once for the whole network.

    Ties go to the lower index. With `blocks` the cheapest contiguous block of layers goes, else the cheapest single
    ones. Raises InputError where an axis is cut but has no scores, and where the head residual is impossible.
    """
    dropped = shape.drop or _dropped(shape, ranking)
    kept_layers = [i for i in range(parent.dims.num_layers) if i not in dropped]
    layers = tuple(
        _kept_layer(layer, shape, ranking, at, head_residual and shape.heads[at] < parent.dims.num_attention_heads)
        for at, layer in enumerate(kept_layers)
    )
    hidden = None
    if shape.hidden < parent.dims.hidden_size:
        hidden = top(_needed(ranking.hidden, "hidden"), shape.hidden)
    plan = Plan(parent=parent, hidden=hidden, layers=layers, parameters=shape.parameters, chosen=ranking.choice)  # pyright: ignore[reportCallIssue]
    check_plan(plan)
    return plan


def read_plan(path: Path) -> Plan:
    """The plan of a JSON file, checked in itself. Raises InputError for a file that is none."""
    try:
        plan = Plan.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"There is no plan {path}.", "`minizoo prune … --plan-only --out DIR` writes one.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path} is no pruning plan ({where}: {first['msg']}).", "Make it again.") from None
    check_plan(plan)
    return plan


def check_plan(plan: Plan) -> None:
    """Raise InputError unless every index exists, layers rise, and each GQA group keeps equally many query heads."""
    dims = plan.parent.dims
    order = [layer.parent for layer in plan.layers]
    if order != sorted(set(order)) or order[-1] >= dims.num_layers:
        raise InputError(f"The plan's layers are not ascending layers of 0 to {dims.num_layers - 1}.", "Make it again.")
    _check_range("hidden", plan.hidden, dims.hidden_size)
    for layer in plan.layers:
        _check_range(f"layer {layer.parent} ffn", layer.ffn, dims.ffn_hidden_size)
        _check_range(f"layer {layer.parent} heads", layer.heads, dims.num_attention_heads)
        if layer.heads is not None:
            sizes = np.bincount(np.array(layer.heads) // group_size(dims), minlength=dims.num_kv_heads)
            if len(set(sizes.tolist())) != 1:
                raise InputError(
                    f"The plan would split a GQA group: layer {layer.parent} keeps {sizes.tolist()} query heads a group.",
                    "Keep equally many heads of every group.",
                )
    if plan.shape.parameters != plan.parameters:
        raise InputError(
            f"The plan says {plan.parameters:,} parameters, its index sets give {plan.shape.parameters:,}.",
            "It was edited or cut short: make it again.",
        )


def group_size(dims: Dense) -> int:
    """Query heads that share one KV head."""
    return dims.num_attention_heads // dims.num_kv_heads


def top(scores: Ranks, keep: int) -> tuple[int, ...]:
    """Indices of the `keep` highest scores, ascending; of equals the lower index."""
    return tuple(sorted(int(i) for i in np.argsort(-scores, kind="stable")[:keep]))


def residual_pairs(order: Sequence[int], keep: int) -> tuple[tuple[int, int], ...]:
    """Which pruned head is folded into which kept one (arXiv 2407.14679 §2.3, one GQA group).

    `order` lists the group's L heads by falling importance. With K = `keep` and heads counted from 1 the paper has
    head_i ← head_i + (head_i − head_{2K−i+1}) for i in [K−(L−K), K]; its lower bound refers to head L+1, so i starts
    at K−(L−K)+1. Raises InputError unless L−K ≤ K.
    """
    whole = len(order)
    if whole - keep > keep:
        raise InputError(
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


def _dropped(shape: ChildShape, ranking: Ranking) -> set[int]:
    if not shape.removed:
        return set()
    if ranking.blocks is not None:
        first = int(np.argmin(ranking.blocks))
        return set(range(first, first + shape.removed))
    scores = _needed(ranking.layers, "layers")
    return {int(i) for i in np.argsort(scores, kind="stable")[: shape.removed]}


def _needed(scores: Ranks | None, axis: str) -> Ranks:
    if scores is None:
        raise InputError(
            f"There are no scores to choose {axis} by.",
            "Give --calibration FILE, or --scores with a file that has this axis.",
        )
    return scores


def _check_range(where: str, kept: tuple[int, ...] | None, size: int) -> None:
    if kept is not None and kept[-1] >= size:
        raise InputError(f"The plan keeps {where} index {kept[-1]}, but the parent has {size}.", "Make it again.")
