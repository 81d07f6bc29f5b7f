"""The dimensions to cut to: `hidden=… ffn=… heads=… layers=…`, checked against the parent's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from zoo.arch.dims import Dense
from zoo.arch.parameters import count_parameters
from zoo.errors import InvalidTarget, UnknownName
from zoo.names import unknown
from zoo.prune.indices import as_runs, parse_runs

Width = int | tuple[int, ...]
"""One width for all layers, or one a kept layer."""
AXES = {"hidden": "hidden_size", "ffn": "ffn_hidden_size", "heads": "num_attention_heads", "layers": "num_layers"}
GRAMMAR = (
    "Write hidden=48, ffn=128 or ffn=172:128:128 (one a kept layer), heads=4 or heads=8:4:4, layers=3, drop=15-30."
)


@dataclass(frozen=True)
class Target:
    """The child's dimensions; None leaves the parent's. `drop` names the layers to remove, else scores choose them."""

    hidden: int | None = None
    ffn: Width | None = None
    heads: Width | None = None
    layers: int | None = None
    drop: tuple[int, ...] = ()


@dataclass(frozen=True)
class ChildShape:
    """A target that fits its parent: the widths of every kept layer."""

    parent: Dense
    hidden: int
    ffn: tuple[int, ...]
    heads: tuple[int, ...]
    drop: tuple[int, ...]
    """Layers to remove where the target names them; else empty, and scores choose them."""

    @property
    def num_layers(self) -> int:
        """Layers of the child."""
        return len(self.ffn)

    @property
    def removed(self) -> int:
        """How many layers are removed."""
        return self.parent.num_layers - self.num_layers

    @property
    def unnamed(self) -> int:
        """How many layers are removed that the target does not name, so that scores choose them."""
        return 0 if self.drop else self.removed

    @property
    def narrowed(self) -> tuple[str, ...]:
        """The widths that are cut: which of hidden, ffn and heads."""
        whole = self.parent
        widths = {
            "hidden": self.hidden < whole.hidden_size,
            "ffn": min(self.ffn) < whole.ffn_hidden_size,
            "heads": min(self.heads) < whole.num_attention_heads,
        }
        return tuple(axis for axis, cut in widths.items() if cut)

    @property
    def choosing(self) -> bool:
        """Whether scores choose anything: units of a width, or layers that the target does not name."""
        return bool(self.narrowed or self.unnamed)

    @property
    def uniform(self) -> bool:
        """Whether all layers have the same widths, as every backend but `pruned` requires."""
        return len(set(self.ffn)) == 1 and len(set(self.heads)) == 1

    @property
    def dims(self) -> Dense:
        """The child's dimensions; where layers differ, the widest of each axis."""
        return self._dims(max(self.ffn), max(self.heads))

    @property
    def parameters(self) -> int:
        """Weights in closed form, summed over unlike layers."""
        whole = count_parameters(self.dims)
        layers = (count_parameters(self._dims(f, h)).per_layer[0] for f, h in zip(self.ffn, self.heads, strict=True))
        return whole.embedding + whole.head + whole.final_norm + sum(layers)

    def _dims(self, ffn: int, heads: int) -> Dense:
        return self.parent.model_copy(
            update={
                "hidden_size": self.hidden,
                "ffn_hidden_size": ffn,
                "num_attention_heads": heads,
                "num_layers": self.num_layers,
            }
        )


def parse_target(words: Iterable[str]) -> Target:
    """The target of words such as `hidden=48` and `ffn=128`. Raises InvalidTarget or UnknownName, naming the word."""
    target = Target()
    for word in (piece for text in words for piece in text.replace(",", " , ").split() if piece != ","):
        axis, equals, value = word.partition("=")
        if not equals:
            raise InvalidTarget(f"'{word}' is no target.", GRAMMAR)
        if axis not in (*AXES, "drop"):
            raise unknown(UnknownName, "axis", axis, [*AXES, "drop"], GRAMMAR)
        target = replace(target, **{axis: _value(axis, value)})
    return target


def child_shape(parent: Dense, target: Target) -> ChildShape:
    """Check the target against the parent and give the widths of each kept layer.

    Raises InvalidTarget for a target that grows, names layers that are not there, or would split a GQA group.
    """
    if target.drop and target.drop[-1] >= parent.num_layers:
        raise InvalidTarget(
            f"drop={as_runs(target.drop)} names layer {target.drop[-1]}, but the parent has layers 0 to "
            f"{parent.num_layers - 1}.",
            "Count layers from 0.",
        )
    layers = target.layers or parent.num_layers - len(target.drop)
    if target.drop and layers != parent.num_layers - len(target.drop):
        raise InvalidTarget(
            f"layers={layers} and drop={as_runs(target.drop)} contradict each other.", "Give one of them."
        )
    shape = ChildShape(
        parent,
        target.hidden or parent.hidden_size,
        _per_layer("ffn", target.ffn or parent.ffn_hidden_size, layers),
        _per_layer("heads", target.heads or parent.num_attention_heads, layers),
        target.drop,
    )
    _check_sizes(shape)
    return shape


def _value(axis: str, text: str) -> int | tuple[int, ...]:
    try:
        if axis == "drop":
            return parse_runs(text)
        values = tuple(int(part) for part in text.split(":"))
    except ValueError:
        raise InvalidTarget(f"'{axis}={text}' is no target.", GRAMMAR) from None
    if min(values) < 1:
        raise InvalidTarget(f"'{axis}={text}' leaves nothing.", "A width or depth is at least 1.")
    if len(values) == 1:
        return values[0]
    if axis not in ("ffn", "heads"):
        raise InvalidTarget(f"'{axis}={text}' gives more than one value.", f"{axis} is one number for the whole model.")
    return values


def _per_layer(axis: str, width: Width, layers: int) -> tuple[int, ...]:
    if isinstance(width, int):
        return (width,) * layers
    if len(width) != layers:
        raise InvalidTarget(
            f"{axis} has {len(width)} values for {layers} kept layers.", "Give one, or one a kept layer."
        )
    return width


def _check_sizes(shape: ChildShape) -> None:
    parent = shape.parent
    sizes = {
        "hidden": shape.hidden,
        "ffn": max(shape.ffn),
        "heads": max(shape.heads),
        "layers": shape.num_layers,
    }
    for axis, value in sizes.items():
        whole = getattr(parent, AXES[axis])
        if value > whole:
            raise InvalidTarget(f"{axis}={value} is more than the parent's {whole}.", "Pruning only shrinks.")
    for heads in sorted(set(shape.heads)):
        if heads % parent.num_kv_heads:
            raise InvalidTarget(
                f"{heads} query heads cannot be shared evenly by the {parent.num_kv_heads} KV heads, so a group would "
                "be split.",
                f"Take a multiple of {parent.num_kv_heads}, at most {parent.num_attention_heads}.",
            )
    check_built(shape)


def check_built(shape: ChildShape) -> None:
    """Raise InvalidTarget for a shape that transformers refuses to build."""
    if shape.parent.hf_class == "LlamaForCausalLM" and shape.hidden % max(shape.heads):
        raise InvalidTarget(
            f"hidden={shape.hidden} is no multiple of {max(shape.heads)} heads; transformers refuses such a Llama, "
            "though head_dim is explicit.",
            f"Take hidden={shape.hidden // max(shape.heads) * max(shape.heads)}.",
        )
