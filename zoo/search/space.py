"""The shapes that a parent may be cut to: a grid over hidden channels, neurons, query heads and layers.

A width moves in steps of the largest power of two that leaves the parent at least so many steps: 8 of its hidden size, 48 of
its FFN. (Mistral-NeMo-12B: 512 and 256; its published child, 4096 and 11520, lies on that grid.) Query heads move by one a KV
head, so that every group stays whole, and KV heads and `head_dim` are never cut; layers move by one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.arch.dims import Dense
from zoo.errors import InvalidTarget, NoSmallerShape
from zoo.prune.target import Target, check_built, child_shape

Axis = Literal["layers", "heads", "hidden", "ffn"]
AXES: tuple[Axis, ...] = ("layers", "heads", "hidden", "ffn")
LEAST_SHARE = 0.375
"""Of the parent that an axis keeps at least, unless asked otherwise: no published child of the family keeps less (Minitron-4B
has 9,216 of 24,576 neurons)."""
STEPS = {"hidden": 8, "ffn": 48}
"""Steps that a width has at least."""


@dataclass(frozen=True, order=True)
class Shape:
    """A child's dimensions that a search varies; `head_dim`, KV heads and vocabulary are the parent's."""

    layers: int
    heads: int
    hidden: int
    ffn: int

    @property
    def target(self) -> Target:
        """As `minizoo prune` takes it."""
        return Target(hidden=self.hidden, ffn=self.ffn, heads=self.heads, layers=self.layers)

    @property
    def words(self) -> str:
        """`hidden=4096 ffn=11520 heads=32 layers=40`, the words of `minizoo prune --target`."""
        return f"hidden={self.hidden} ffn={self.ffn} heads={self.heads} layers={self.layers}"

    def of(self, parent: Dense) -> Dense:
        """All dimensions of the child of this parent."""
        return parent.model_copy(
            update={
                "hidden_size": self.hidden,
                "ffn_hidden_size": self.ffn,
                "num_attention_heads": self.heads,
                "num_layers": self.layers,
            }
        )

    def distance(self, other: Shape) -> float:
        """Euclidean, of the logarithms of the dimensions: halving any axis is as far."""
        mine, theirs = ((each.layers, each.heads, each.hidden, each.ffn) for each in (self, other))
        return math.dist([math.log(value) for value in mine], [math.log(value) for value in theirs])


@dataclass(frozen=True)
class Space:
    """The values of each axis, ascending; the last is the parent's."""

    parent: Dense
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    hidden: tuple[int, ...]
    ffn: tuple[int, ...]

    def shapes(self) -> Iterator[Shape]:
        """Every shape that transformers builds, but the parent's own."""
        whole = shape_of(self.parent)
        for layers, heads, hidden in itertools.product(self.layers, self.heads, self.hidden):
            if not self._built(layers, heads, hidden):
                continue
            for ffn in self.ffn:
                shape = Shape(layers, heads, hidden, ffn)
                if shape != whole:
                    yield shape

    def values(self, axis: Axis) -> tuple[int, ...]:
        """Of one axis."""
        return getattr(self, axis)

    def _built(self, layers: int, heads: int, hidden: int) -> bool:
        try:
            check_built(child_shape(self.parent, Target(hidden=hidden, heads=heads, layers=layers)))
        except InvalidTarget:
            return False
        return True


def shape_of(dims: Dense) -> Shape:
    """The shape of a model."""
    return Shape(dims.num_layers, dims.num_attention_heads, dims.hidden_size, dims.ffn_hidden_size)


def space_of(parent: Dense, axes: Sequence[Axis] = AXES, least_share: float = LEAST_SHARE) -> Space:
    """The space of a parent, of which only `axes` are cut, none below `least_share` of the parent's.

    Raises NoSmallerShape where no axis has a step, naming each and why.
    """
    values: dict[str, tuple[int, ...]] = {}
    for axis in AXES:
        whole = getattr(shape_of(parent), axis)
        step = step_of(parent, axis)
        least = max(1, math.ceil(least_share * whole - 1e-9))
        cut = range(step * math.ceil(least / step), whole, step) if step and axis in axes else ()
        values[axis] = (*cut, whole)
    if all(len(each) == 1 for each in values.values()):
        raise NoSmallerShape(
            f"The parent's dimensions allow no step down: {'; '.join(_why(parent, axis, axes, least_share) for axis in AXES)}.",
            "Take a larger parent, other --axes, or a smaller --least-share.",
        )
    return Space(parent, **values)


def step_of(parent: Dense, axis: Axis) -> int:
    """By how much an axis moves; 0 where the parent has fewer channels than steps.

    >>> [2 ** math.floor(math.log2(whole / least)) for whole, least in ((5120, 8), (14336, 48), (6144, 8), (24576, 48))]
    [512, 256, 512, 512]
    """
    if axis == "layers":
        return 1
    if axis == "heads":
        return parent.num_kv_heads
    whole, least = (parent.hidden_size if axis == "hidden" else parent.ffn_hidden_size), STEPS[axis]
    return 1 << int(math.log2(whole // least)) if whole >= least else 0


def _why(parent: Dense, axis: Axis, axes: Sequence[Axis], least_share: float) -> str:
    """Why an axis stays as it is."""
    whole, step = getattr(shape_of(parent), axis), step_of(parent, axis)
    if axis not in axes:
        return f"{axis} {whole} is not to be cut"
    if not step:
        return f"{axis} {whole} has fewer channels than the {STEPS[axis]} steps of its grid"
    return f"{axis} {whole} moves by {step}, and less than {least_share:.0%} of it may not stay"
