"""The published pruning edges, one small function each. Dimensions come from the registry and are not repeated here.

Hyper-parameters of the papers are literal, each with the table that it stands in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zoo.arch.dims import Dense
from zoo.errors import NoRecipe, UnsupportedArchitecture
from zoo.names import unknown
from zoo.prune.target import ChildShape, Target, child_shape
from zoo.registry.loader import Model, load_registry

SHARED = (
    "num_layers", "hidden_size", "ffn_hidden_size", "num_attention_heads", "num_kv_heads", "head_dim", "vocab_size",
    "tied_embeddings", "activation", "norm",
)  # fmt: skip
"""Dimensions that a parent must share with the published one for its recipe to apply."""


@dataclass(frozen=True)
class Recipe:
    """A published edge: which registry model is cut to which, and to which dimensions.

    `source` is a source of the registry; `chosen_on` are the tasks whose scores picked the layers.
    """

    parent: str
    child: str
    target: Target
    source: str
    chosen_on: tuple[str, ...] = ()

    def shape(self, parent: Dense) -> ChildShape:
        """The child's shape. Raises NoRecipe where `parent` has other dimensions than the published parent."""
        published = _dense(load_registry().models[self.parent])
        differing = [axis for axis in SHARED if getattr(parent, axis) != getattr(published, axis)]
        if differing:
            details = ", ".join(
                f"{axis} {getattr(parent, axis)} against {getattr(published, axis)}" for axis in differing
            )
            raise NoRecipe(
                f"The recipe {self.child} cuts {self.parent}, but this parent has {details}.",
                f"Give --parent {self.parent} or a checkpoint of its shape, or --target for a shape of your own.",
            )
        return child_shape(parent, self.target)


def recipe(child: str) -> Recipe:
    """The recipe of a registry model by any of its names. Raises UnknownModel, and NoRecipe for a model without one."""
    model = load_registry().resolve(child)
    listing = f"Recipes: {', '.join(EDGES)}. For any other shape give --target."
    if model.id in EDGES:
        return EDGES[model.id]()
    if model.lineage is None or model.lineage.compression is None:
        raise NoRecipe(f"{model.id} was not made by pruning.", listing)
    raise unknown(NoRecipe, "recipe", model.id, EDGES, listing)


def minitron_8b() -> Recipe:
    """Nemotron-4 15B → Minitron 8B: hidden and FFN; all 48 query heads are kept (arXiv 2407.14679 Table 2)."""
    dims = published_dims("minitron-8b")
    return edge("minitron-8b", Target(hidden=dims.hidden_size, ffn=dims.ffn_hidden_size))


def minitron_4b() -> Recipe:
    """Minitron 8B → 4B: hidden, FFN, and every GQA group from 6 query heads to 3 (arXiv 2407.14679 Table 3)."""
    dims = published_dims("minitron-4b")
    target = Target(hidden=dims.hidden_size, ffn=dims.ffn_hidden_size, heads=dims.num_attention_heads)
    return edge("minitron-4b", target)


def llama_width() -> Recipe:
    """Llama-3.1 8B → 4B Width: hidden and FFN (arXiv 2408.11796 Table 3)."""
    dims = published_dims("llama-3.1-minitron-4b-width")
    return edge("llama-3.1-minitron-4b-width", Target(hidden=dims.hidden_size, ffn=dims.ffn_hidden_size))


def llama_depth() -> Recipe:
    """Llama-3.1 8B → 4B Depth: layers 16 to 31 of 32, counted from 1, are removed (arXiv 2408.11796 Table 3, Figure 9)."""
    return edge("llama-3.1-minitron-4b-depth", Target(drop=tuple(range(15, 31))))


def mistral_nemo_8b() -> Recipe:
    """Mistral-NeMo 12B → 8B: hidden and FFN (arXiv 2408.11796 Table 3)."""
    dims = published_dims("mistral-nemo-minitron-8b")
    return edge("mistral-nemo-minitron-8b", Target(hidden=dims.hidden_size, ffn=dims.ffn_hidden_size))


EDGES: dict[str, Callable[[], Recipe]] = {
    "minitron-8b": minitron_8b,
    "minitron-4b": minitron_4b,
    "llama-3.1-minitron-4b-width": llama_width,
    "llama-3.1-minitron-4b-depth": llama_depth,
    "mistral-nemo-minitron-8b": mistral_nemo_8b,
}


def edge(child: str, target: Target) -> Recipe:
    """The recipe of a registry model: parent, source and selection tasks from its lineage."""
    lineage = load_registry().models[child].lineage
    if lineage is None or lineage.parent is None:
        raise NoRecipe(f"registry.yaml names no parent of {child}.", "Give --target instead of --recipe.")
    selection = lineage.selection
    return Recipe(lineage.parent, child, target, lineage.source, selection.tasks if selection else ())


def published_dims(child: str) -> Dense:
    """The dimensions of a registry model. Raises UnsupportedArchitecture for a hybrid."""
    return _dense(load_registry().models[child])


def _dense(model: Model) -> Dense:
    if not isinstance(model.architecture, Dense):
        raise UnsupportedArchitecture(
            f"{model.id} is a hybrid; minizoo prunes dense transformers.", "Take another model."
        )
    return model.architecture
