"""What is known of each model, from the registry or from its records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reports.board.model import ModelFacts
from reports.board.stored import Stored
from zoo.arch.parameters import count_parameters, kv_bytes_per_token, state_bytes
from zoo.registry.loader import Model, Registry
from zoo.registry.stored import kv_dtype, stored_weights

UNREGISTERED = "unregistered"
"""The family of a model that is in no registry."""
UNKNOWN = "unknown"
"""Its kind."""
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
"""owner/name on the hub."""


def all_facts(
    models: Iterable[Stored], shown: Mapping[str, tuple[str, ...]], registry: Registry
) -> dict[str, ModelFacts]:
    """The facts of every model of the registry, then of every further one of the store, by the name that it is shown by.

    `shown`: word → the names under which models of that word are shown, for parents that are in no registry.
    """
    stored = {one.model: one for one in models}
    named = [stored.get(model, Stored(model, model)) for model in registry.models]
    further = [one for model, one in stored.items() if model not in registry.models]
    return {one.model: _facts(one, shown, registry) for one in (*named, *further)}


def selected_tasks(model: Model | None) -> frozenset[str]:
    """The tasks, by the names that publications have for them, whose scores chose the model's shape."""
    selection = model.lineage.selection if model and model.lineage else None
    return frozenset(selection.tasks if selection else ())


def _facts(stored: Stored, shown: Mapping[str, tuple[str, ...]], registry: Registry) -> ModelFacts:
    model = None if stored.is_folder else registry.models.get(stored.subject)
    if model is None:
        return _of_stranger(stored, shown, registry)
    return _of_registered(stored, model, registry)


def _of_stranger(stored: Stored, shown: Mapping[str, tuple[str, ...]], registry: Registry) -> ModelFacts:
    """A model that is in no registry is of its parent's kind, where that is known: pruning and distilling do not change it."""
    known = registry.find(stored.parent) if stored.parent else None
    parent = stored.parent
    if known is not None:
        parent = known.id
    elif parent is not None:
        parent = min(shown.get(parent, (parent,)))
    on_hub = not stored.is_folder and HUB_ID.fullmatch(stored.subject)
    return ModelFacts(
        id=stored.model,
        display=stored.model,
        registered=False,
        kind=known.kind if known else UNKNOWN,
        family=UNREGISTERED,
        parent=parent,
        parent_parameters=count_parameters(known.architecture).total if known else None,
        parent_tokens=known.tokens.pretraining if known and known.tokens else None,
        context=stored.context,
        hub=stored.subject if on_hub else None,
    )


def _of_registered(stored: Stored, model: Model, registry: Registry) -> ModelFacts:
    lineage, licence, dims, tokens = model.lineage, model.licence, model.architecture, model.tokens
    parent = registry.models.get(lineage.parent) if lineage and lineage.parent else None
    weights = stored_weights(model)
    return ModelFacts(
        id=stored.model,
        display=model.display if stored.model == model.id else f"{model.display} ({stored.model})",
        registered=True,
        kind=model.kind,
        family=model.group,
        parent=parent.id if parent else (lineage.parent_elsewhere if lineage else None),
        parameters=count_parameters(dims).total,
        parent_parameters=count_parameters(parent.architecture).total if parent else None,
        distillation_tokens=tokens.distillation if tokens else None,
        parent_tokens=parent.tokens.pretraining if parent and parent.tokens else None,
        licence=licence.id if licence else None,
        commercial=licence.commercial if licence else None,
        context=dims.max_context or stored.context,
        weight_bytes=weights.total if weights else None,
        kv_bytes_per_token=kv_bytes_per_token(dims, kv_dtype(model)),
        state_bytes=state_bytes(dims),
        hub=model.hub.id if model.hub else None,
    )
