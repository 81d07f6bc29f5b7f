"""From plan and parent to the child's tensors: for each, which rows and columns of which parent tensor it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.checkpoint.safetensors import StoredTensor
from zoo.errors import InvalidPlan, OtherParent
from zoo.prune.parent import Axis, Parent, axis_size, tensor_axes
from zoo.prune.plan import KeptLayer, Plan, group_size

Index = NDArray[np.intp]
LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)")


@dataclass(frozen=True)
class Cut:
    """One tensor of the child: rows and columns (None: all) of a parent's tensor.

    `merged` are (row kept, row pruned) index pairs of the head residual, in the parent's rows.
    """

    name: str
    source: StoredTensor
    rows: Index | None
    columns: Index | None
    shape: tuple[int, ...]
    merged: tuple[Index, Index] | None = None


def check_parent(plan: Plan, parent: Parent) -> None:
    """Raise OtherParent unless the plan was made for this parent: the same digest, or without one the same dimensions."""
    theirs, ours = (dims.model_dump(exclude=_LOOSE) for dims in (plan.parent.dims, parent.dims))
    differing = [key for key in {**ours, **theirs} if theirs.get(key) != ours.get(key)]
    if differing:
        details = ", ".join(f"{key} {theirs.get(key, False)} against {ours.get(key, False)}" for key in differing)
        raise OtherParent(
            f"The plan is for another parent than {parent.folder}: {details}.", "Make a plan for this one."
        )
    if plan.parent.digest is not None and plan.parent.digest != parent.digest:
        raise OtherParent(
            f"The plan is for another parent: it names digest {plan.parent.digest[:12]}…, the weights of {parent.folder} "
            f"have {parent.digest[:12]}….",
            f"Give the '{plan.parent.name}' that it was made from, or make a plan for this parent.",
        )


def cuts(plan: Plan, parent: Parent) -> Iterator[Cut]:
    """Every tensor of the child, in the order of the parent's bytes, so that its shards are read once, front to back.

    Raises OtherParent for a plan of another parent, InvalidPlan for a head residual across GQA groups.
    """
    check_parent(plan, parent)
    child_of = {kept.parent: (at, kept) for at, kept in enumerate(plan.layers)}
    found: list[Cut] = []
    for name, axes in tensor_axes(parent.dims):
        match = LAYER.fullmatch(name)
        if match is None:
            found.append(_cut(name, name, axes, None, plan, parent))
        elif (layer := int(match[1])) in child_of:
            at, kept = child_of[layer]
            found.append(_cut(f"model.layers.{at}.{match[2]}", name, axes, kept, plan, parent))
    return iter(sorted(found, key=lambda cut: (str(cut.source.file), cut.source.start)))


# keys in which a plan made from a registry entry, or before biases were read, and a config.json may differ although they mean
# the same model; the biases that there are are those of the parent's tensors
_LOOSE = {"max_context", "hf_class", "norm_eps", "rope", "qkv_bias", "o_bias", "mlp_bias"}


def _cut(name: str, source: str, axes: tuple[Axis, ...], kept: KeptLayer | None, plan: Plan, parent: Parent) -> Cut:
    indices = [_indices(axis, kept, plan) for axis in axes]
    shape = tuple(
        axis_size(parent.dims, axis) if index is None else len(index) for axis, index in zip(axes, indices, strict=True)
    )
    merged = _merged(kept, plan) if kept is not None and ".q_proj." in name else None
    return Cut(name, parent.tensors[source], indices[0], indices[1] if len(indices) > 1 else None, shape, merged)


def _indices(axis: Axis, kept: KeptLayer | None, plan: Plan) -> Index | None:
    if axis == "hidden":
        return None if plan.hidden is None else np.array(plan.hidden, dtype=np.intp)
    if kept is None or axis in ("vocab", "kv", "head"):
        return None
    if axis == "ffn":
        return None if kept.ffn is None else np.array(kept.ffn, dtype=np.intp)
    return None if kept.heads is None else _channels(kept.heads, plan.parent.dims.head_dim)


def _channels(heads: tuple[int, ...], head_dim: int) -> Index:
    return (np.array(heads, dtype=np.intp)[:, None] * head_dim + np.arange(head_dim)).reshape(-1)


def _merged(kept: KeptLayer, plan: Plan) -> tuple[Index, Index] | None:
    """Rows of q_proj that the head residual doubles and subtracts. Both heads of a pair are of one GQA group."""
    if not kept.merged:
        return None
    dims = plan.parent.dims
    for head, pruned in kept.merged:
        if head // group_size(dims) != pruned // group_size(dims):
            raise InvalidPlan(f"The plan folds head {pruned} into head {head} of another group.", "Make it again.")
    heads, pruned_heads = (tuple(pair[side] for pair in kept.merged) for side in (0, 1))
    return _channels(heads, dims.head_dim), _channels(pruned_heads, dims.head_dim)
