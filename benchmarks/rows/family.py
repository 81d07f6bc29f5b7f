"""Which models are measured, and which against which: read off the registry, no list of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.arch.dims import Dense
from zoo.arch.parameters import count_parameters
from zoo.errors import UnsupportedArchitecture
from zoo.registry.loader import Model, Registry

FAMILIES = ("minitron", "nano")
"""Groups of the registry."""


@dataclass(frozen=True)
class Family:
    """Pairs of a model and the one that it was cut from, and all models once; small ones first.

    So most of them are done when the time is up.
    """

    pairs: tuple[tuple[Model, Model], ...]
    models: tuple[Model, ...]

    @property
    def alone(self) -> tuple[Model, ...]:
        """Models of no pair."""
        paired = {model.id for pair in self.pairs for model in pair}
        return tuple(model for model in self.models if model.id not in paired)


def family_of(registry: Registry, group: str) -> Family:
    """The base models of a group that were cut from another of the registry, and those that they were cut from."""
    return _family(
        registry, [model for model in registry.models.values() if model.group == group and parent_of(registry, model)]
    )


def models_of(registry: Registry, names: Sequence[str]) -> Family:
    """The models named, each with the one that it was cut from where there is one.

    Raises UnknownModel, and UnsupportedArchitecture for a model that no random weights are drawn for.
    """
    models = [registry.resolve(name) for name in names]
    for model in models:
        if not drawn(model):
            raise UnsupportedArchitecture(
                f"{model.display} is a hybrid or quantised, and random weights are drawn for dense models in 16 or 32 bits.",
                "Leave it out of --models.",
            )
    return _family(registry, models)


def parent_of(registry: Registry, model: Model) -> Model | None:
    """What a base model was cut from, where both can be drawn; None for any other."""
    lineage = model.lineage
    if model.kind != "base" or lineage is None or lineage.parent is None or "pruned" not in lineage.relation:
        return None
    parent = registry.models[lineage.parent]
    return parent if drawn(model) and drawn(parent) else None


def drawn(model: Model) -> bool:
    """Whether random weights are drawn for it: dense and not quantised."""
    quantised = model.lineage is not None and model.lineage.quantization is not None
    return isinstance(model.architecture, Dense) and not quantised


def _family(registry: Registry, asked: Sequence[Model]) -> Family:
    every = {model.id: model for model in asked}
    pairs = [(child, parent) for child in every.values() if (parent := parent_of(registry, child))]
    every |= {parent.id: parent for _, parent in pairs}
    return Family(
        tuple(sorted(pairs, key=lambda pair: sum(map(_parameters, pair)))),
        tuple(sorted(every.values(), key=_parameters)),
    )


def _parameters(model: Model) -> int:
    return count_parameters(model.architecture).total
