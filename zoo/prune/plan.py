"""A pruning plan: which units of which parent stay, and what chose them. A small JSON file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from zoo.arch.dims import Dense
from zoo.errors import InvalidPlan
from zoo.files import write_atomically
from zoo.prune.indices import Kept
from zoo.prune.target import ChildShape
from zoo.strict import Count, Strict

LATER = ("axes", "calibration_shape", "calibration_asked", "measured_on")
"""Fields of UnitSelection that the first plans do not have."""


class KeptLayer(Strict):
    """A layer of the child: the parent's layer it was, and its kept query heads and neurons (None: all)."""

    parent: int = Field(ge=0)
    heads: Kept | None = None
    ffn: Kept | None = None
    merged: tuple[tuple[int, int], ...] = Field((), description="Head residual: (kept head, pruned head) pairs.")


class UnitSelection(Strict):
    """What chose the units: the method in words, the digests of scores and data, and the tasks that were scored for it.

    `axes` has for each axis that is cut how its units were chosen.
    """

    method: str
    scores_digest: str | None = None
    calibration: str | None = None
    calibration_digest: str | None = None
    selection_tasks: tuple[str, ...] = ()
    axes: dict[str, str] = Field(default_factory=dict)
    calibration_shape: tuple[int, int] | None = Field(default=None, description="Rows, and tokens a row.")
    calibration_asked: tuple[int, int] | None = Field(
        default=None, description="The rows and tokens that were asked for."
    )
    measured_on: str | None = Field(default=None, description="The type of numbers and the kind of device.")

    @model_serializer(mode="wrap")
    def _without_unset(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A plan of an earlier version, which says none of `LATER`, keeps its bytes and its digest."""
        return {name: value for name, value in whole(self).items() if value or name not in LATER}


class ParentIdentity(Strict):
    """Which parent a plan is for. A plan made from dimensions alone has no digest and fits every parent of these dimensions."""

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
    chosen: UnitSelection

    @property
    def shape(self) -> ChildShape:
        """The child's dimensions: the lengths of the index sets."""
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


def read_plan(path: Path) -> Plan:
    """The plan of a JSON file. Raises InvalidPlan where it is missing, broken or contradicts itself."""
    try:
        plan = Plan.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InvalidPlan(f"There is no plan {path}.", "`minizoo prune … --plan-only --out DIR` writes one.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidPlan(f"{path} is no pruning plan ({where}: {first['msg']}).", "Make it again.") from None
    check_plan(plan)
    return plan


def write_plan(plan: Plan, folder: Path) -> Path:
    """Write plan.json into the folder, atomically; the folder is made where there is none. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "plan.json", plan.text().encode())
    return folder / "plan.json"


def check_plan(plan: Plan) -> None:
    """Raise InvalidPlan unless every index exists, layers rise, and each GQA group keeps equally many query heads."""
    dims = plan.parent.dims
    order = [layer.parent for layer in plan.layers]
    if order != sorted(set(order)) or order[-1] >= dims.num_layers:
        raise InvalidPlan(
            f"The plan's layers are not ascending layers of 0 to {dims.num_layers - 1}.", "Make it again."
        )
    _check_range("hidden", plan.hidden, dims.hidden_size)
    for layer in plan.layers:
        _check_range(f"layer {layer.parent} ffn", layer.ffn, dims.ffn_hidden_size)
        _check_range(f"layer {layer.parent} heads", layer.heads, dims.num_attention_heads)
        if layer.heads is not None:
            sizes = np.bincount(np.array(layer.heads) // group_size(dims), minlength=dims.num_kv_heads)
            if len(set(sizes.tolist())) != 1:
                raise InvalidPlan(
                    f"The plan would split a GQA group: layer {layer.parent} keeps {sizes.tolist()} query heads a group.",
                    "Keep equally many heads of every group.",
                )
    if plan.shape.parameters != plan.parameters:
        raise InvalidPlan(
            f"The plan says {plan.parameters:,} parameters, its index sets give {plan.shape.parameters:,}.",
            "It was edited or cut short: make it again.",
        )


def cut_axes(plan: Plan) -> tuple[str, ...]:
    """The axes that the plan cuts, in the order of `AXES`."""
    depth = ("layers",) if plan.shape.removed else ()
    return (*plan.shape.narrowed, *depth)


def one_axis(plan: Plan, axis: str) -> Plan:
    """The plan that cuts this axis as `plan` does and keeps the others whole.

    Layers that `plan` removes keep all their neurons and heads, unless the axis is `layers`; a head residual goes with heads.
    Raises InvalidPlan for an axis that the plan does not cut.
    """
    if axis not in cut_axes(plan):
        raise InvalidPlan(f"The plan does not cut {axis}: it cuts {', '.join(cut_axes(plan))}.", "Name one of these.")
    kept = {layer.parent: layer for layer in plan.layers}
    places = kept if axis == "layers" else range(plan.parent.dims.num_layers)
    alone = plan.model_copy(
        update={
            "hidden": plan.hidden if axis == "hidden" else None,
            "layers": tuple(
                _one_axis_of(kept.get(place, KeptLayer(parent=place, merged=())), axis) for place in places
            ),
            "chosen": plan.chosen.model_copy(
                update={
                    "method": f"{axis} alone, of the plan {plan.digest()[:12]} ({plan.chosen.method})",
                    "axes": {name: how for name, how in plan.chosen.axes.items() if name == axis},
                }
            ),
        }
    )
    made = alone.model_copy(update={"parameters": alone.shape.parameters})
    check_plan(made)
    return made


def group_size(dims: Dense) -> int:
    """Query heads that share one KV head."""
    return dims.num_attention_heads // dims.num_kv_heads


def _one_axis_of(layer: KeptLayer, axis: str) -> KeptLayer:
    """The layer with the units of this axis cut alone."""
    if axis == "heads":
        return layer.model_copy(update={"ffn": None})
    return KeptLayer(parent=layer.parent, ffn=layer.ffn if axis == "ffn" else None, merged=())


def _check_range(where: str, kept: tuple[int, ...] | None, size: int) -> None:
    if kept is not None and kept[-1] >= size:
        raise InvalidPlan(f"The plan keeps {where} index {kept[-1]}, but the parent has {size}.", "Make it again.")
