"""The child of a cut before any weight is read: dimensions, parameters, bytes, the layers removed."""

from __future__ import annotations

from typing import Any

from zoo.arch.parameters import count_parameters, flops_per_token, kv_bytes_per_token
from zoo.arch.weight_bytes import weight_bytes
from zoo.prune.indices import as_runs
from zoo.prune.plan import Plan
from zoo.prune.target import AXES, ChildShape
from zoo.prune.write.card import chosen_by, deployability

KEPT_AS_IT_IS = ("num_kv_heads", "head_dim", "vocab_size")


def preview(shape: ChildShape, plan: Plan | None = None, with_weights: bool = True) -> dict[str, Any]:
    """`axes` (parent, child, share removed), `facts` in words, and the bare numbers for programs."""
    parent, child = count_parameters(shape.parent).total, shape.parameters
    values: dict[str, tuple[int, ...]] = {
        "hidden": (shape.hidden,), "ffn": shape.ffn, "heads": shape.heads, "layers": (shape.num_layers,),
    }  # fmt: skip
    axes = [_axis(field, getattr(shape.parent, field), values[axis]) for axis, field in AXES.items()]
    axes += [_axis(field, getattr(shape.parent, field), (getattr(shape.parent, field),)) for field in KEPT_AS_IT_IS]
    facts = [
        ("parameters", f"{child:,} of {parent:,} ({100 * child / parent:.1f} % kept, {parent - child:,} cut)"),
        ("bytes in bf16", f"{2 * child:,} of {weight_bytes(shape.parent):,}"),
        (
            "KV cache a token in bf16",
            f"{kv_bytes_per_token(shape.dims):,} bytes of {kv_bytes_per_token(shape.parent):,}",
        ),
        ("FLOPs a token", f"{flops_per_token(shape.dims):,} of {flops_per_token(shape.parent):,}"),
        ("layers that go", _dropped(shape, plan)),
        *(chosen_by(plan.chosen) if plan else [("units chosen by", "not chosen yet: needs scores")]),
        *deployability(shape, with_weights),
    ]
    return {
        "axes": axes,
        "facts": facts,
        "parameters": child,
        "parent_parameters": parent,
        "bytes_bf16": 2 * child,
        "kv_bytes_per_token_bf16": kv_bytes_per_token(shape.dims),
        "plan_digest": plan.digest() if plan else None,
        "chosen": plan.chosen.model_dump(mode="json") if plan else None,
        "uniform": shape.uniform,
    }


def _axis(name: str, before: int, after: tuple[int, ...]) -> dict[str, str]:
    child = str(after[0]) if len(set(after)) == 1 else ":".join(map(str, after))
    share = 1 - sum(after) / len(after) / before
    return {"axis": name, "parent": str(before), "child": child, "cut": f"{100 * share:.1f} %" if share else "–"}


def _dropped(shape: ChildShape, plan: Plan | None) -> str:
    if not shape.removed:
        return "none"
    dropped = plan.shape.drop if plan else shape.drop
    return f"{as_runs(dropped)} (counted from 0)" if dropped else f"{shape.removed}, not chosen yet"
