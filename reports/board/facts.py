"""What is known of each model, from the registry or from its records."""

from __future__ import annotations

from reports.board.model import ModelFacts
from zoo.arch.parameters import count_parameters, kv_bytes_per_token, state_bytes
from zoo.registry.loader import Model, Registry
from zoo.registry.stored import kv_dtype, stored_weights

UNREGISTERED = "unregistered"
"""The family of a model that is in no registry."""
UNKNOWN = "unknown"
"""Its kind."""


def facts_of(shown: str, subject: str | None, parent: str | None, registry: Registry) -> ModelFacts:
    """The facts of the model that the store shows under `shown`; `subject` is its registry id, None where it has none."""
    model = registry.models.get(subject) if subject is not None else None
    if model is None:
        return _of_stranger(shown, parent, registry)
    return _of_registered(shown, model, registry)


def _of_stranger(shown: str, parent: str | None, registry: Registry) -> ModelFacts:
    known = registry.find(parent) if parent else None
    return ModelFacts(
        id=shown,
        display=shown,
        registered=False,
        kind=known.kind if known else UNKNOWN,
        family=UNREGISTERED,
        parent=known.id if known else parent,
        parent_parameters=count_parameters(known.architecture).total if known else None,
        parent_tokens=known.tokens.pretraining if known and known.tokens else None,
    )


def _of_registered(shown: str, model: Model, registry: Registry) -> ModelFacts:
    lineage, licence, dims, tokens = model.lineage, model.licence, model.architecture, model.tokens
    parent = registry.models.get(lineage.parent) if lineage and lineage.parent else None
    stored = stored_weights(model)
    return ModelFacts(
        id=shown,
        display=model.display if shown == model.id else f"{model.display} ({shown})",
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
        context=dims.max_context,
        weight_bytes=stored.total if stored else None,
        kv_bytes_per_token=kv_bytes_per_token(dims, kv_dtype(model)),
        state_bytes=state_bytes(dims),
        hub=model.hub.id if model.hub else None,
    )


def selected_tasks(model: Model | None) -> frozenset[str]:
    """The tasks, by the names that publications have for them, whose scores chose the model's shape."""
    selection = model.lineage.selection if model and model.lineage else None
    return frozenset(selection.tasks if selection else ())
