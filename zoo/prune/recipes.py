"""The published pruning edges, one small function each. Dimensions come from the registry and are not repeated here.

Sources: 15B → 8B → 4B arXiv 2407.14679 Tables 2 and 3; Llama-3.1 and Mistral-NeMo arXiv 2408.11796 Table 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from zoo.arch.dims import Dense
from zoo.errors import InputError, NoRecipe
from zoo.names import unknown
from zoo.prune.target import ChildShape, Target, child_shape
from zoo.registry.loader import Model, load_registry

BOUND = (
    "num_layers", "hidden_size", "ffn_hidden_size", "num_attention_heads", "num_kv_heads", "head_dim", "vocab_size",
    "tied_embeddings", "activation", "norm",
)  # fmt: skip
"""Dimensions that a parent must share with the published one for a recipe to mean what it says."""


@dataclass(frozen=True)
class Recipe:
    """An edge of the family: who is cut to whom, to which dimensions. `chosen_on` are tasks that picked the layers."""

    parent: str
    child: str
    target: Target
    source: str
    chosen_on: tuple[str, ...] = ()

    def shape(self, parent: Dense) -> ChildShape:
        """The child's shape. Raises InputError where `parent` has not the dimensions of the published parent."""
        published = _dense(load_registry().models[self.parent])
        differing = [axis for axis in BOUND if getattr(parent, axis) != getattr(published, axis)]
        if differing:
            told = ", ".join(f"{axis} {getattr(parent, axis)} against {getattr(published, axis)}" for axis in differing)
            raise InputError(
                f"The recipe {self.child} cuts {self.parent}, but this parent has {told}.",
                f"Give --parent {self.parent} or a checkpoint of its shape, or --target for a shape of your own.",
            )
        return child_shape(parent, self.target)


def recipe(child: str) -> Recipe:
    """The recipe of a registry model by any of its names. Raises InputError for a model without one."""
    model = load_registry().resolve(child)
    listing = f"Recipes: {', '.join(EDGES)}. For any other shape give --target."
    if model.id in EDGES:
        return EDGES[model.id]()
    if model.lineage is None or model.lineage.compression is None:
        raise InputError(f"{model.id} was not made by pruning.", listing)
    raise unknown(NoRecipe, "recipe", model.id, EDGES, listing)


def minitron_8b() -> Recipe:
    """Nemotron-4 15B → 8B: hidden and FFN; all 48 query heads stay."""
    return _width("minitron-8b")


def minitron_4b() -> Recipe:
    """Minitron 8B → 4B: hidden, FFN, and every GQA group from 6 query heads to 3."""
    return _width("minitron-4b")


def llama_width() -> Recipe:
    """Llama-3.1-8B → 4B Width: hidden and FFN."""
    return _width("llama-3.1-minitron-4b-width")


def llama_depth() -> Recipe:
    """Llama-3.1-8B → 4B Depth: layers 16 to 31 of 32 go, counted from 1 (arXiv 2408.11796 Figure 9)."""
    return replace(_width("llama-3.1-minitron-4b-depth"), target=Target(drop=tuple(range(15, 31))))


def mistral_nemo_8b() -> Recipe:
    """Mistral-NeMo-12B → 8B: hidden and FFN."""
    return _width("mistral-nemo-minitron-8b")


EDGES: dict[str, Callable[[], Recipe]] = {
    "minitron-8b": minitron_8b,
    "minitron-4b": minitron_4b,
    "llama-3.1-minitron-4b-width": llama_width,
    "llama-3.1-minitron-4b-depth": llama_depth,
    "mistral-nemo-minitron-8b": mistral_nemo_8b,
}


def _width(child: str) -> Recipe:
    registry = load_registry()
    model = registry.models[child]
    dims = _dense(model)
    lineage = model.lineage
    if lineage is None or lineage.parent is None:
        raise InputError(f"registry.yaml names no parent of {child}.", "Give --target instead of --recipe.")
    target = Target(hidden=dims.hidden_size, ffn=dims.ffn_hidden_size, heads=dims.num_attention_heads)
    selection = lineage.selection
    return Recipe(lineage.parent, child, target, lineage.source, selection.tasks if selection else ())


def _dense(model: Model) -> Dense:
    if not isinstance(model.architecture, Dense):
        raise InputError(f"{model.id} is a hybrid; minizoo prunes dense transformers.", "Take another model.")
    return model.architecture
