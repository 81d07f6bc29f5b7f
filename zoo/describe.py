"""What the registry says of a model, as plain data that JSON and tables are made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from zoo.architecture import count_parameters, decode_bytes, flops_per_token, kv_bytes_per_token, weight_bytes
from zoo.registry import Model, PublishedScore, Registry


def summary(model: Model) -> dict[str, Any]:
    """The line of a model in a list."""
    return {
        "id": model.id,
        "display": model.display,
        "group": model.group,
        "kind": model.kind,
        "names": list(model.names),
        "hub": model.hub.id if model.hub else None,
        "shipped": model.weights is not None,
        "parent": model.lineage.parent if model.lineage else None,
        "parameters": count_parameters(model.architecture).total,
        "kv_bytes_per_token": kv_bytes_per_token(model.architecture),
        "default_suite": model.default_suite,
    }


def facts(model: Model, registry: Registry) -> dict[str, Any]:
    """Everything the registry says of a model, and what its dimensions imply. None means unknown."""
    stated = model.model_dump(mode="json", exclude={"published", "published_scores", "architecture", "parameters"})
    return {
        "id": model.id,
        **{key: stated[key] for key in stated if key != "id"},
        "ancestors": [ancestor.id for ancestor in registry.ancestors(model.id)],
        "children": [child.id for child in registry.children(model.id)],
        "architecture": architecture_facts(model),
        "published_scores": [score_facts(score) for score in model.published_scores],
    }


def architecture_facts(model: Model) -> dict[str, Any]:
    """A model's dimensions, its parameters in closed form beside the declared count, and its costs."""
    dims = model.architecture
    count = count_parameters(dims)
    return {
        **dims.model_dump(mode="json"),
        "parameters": count.total,
        "declared_parameters": model.parameters,
        "embedding_parameters": count.embedding + count.head,
        "non_embedding_parameters": count.non_embedding,
        "parameters_per_layer": list(count.per_layer),
        "weight_bytes_bf16": weight_bytes(dims),
        "kv_bytes_per_token_bf16": kv_bytes_per_token(dims),
        "flops_per_token": flops_per_token(dims),
        "decode_bytes_bf16": decode_bytes(dims),
    }


def score_facts(score: PublishedScore) -> dict[str, Any]:
    """One published score with protocol and source."""
    plain = {key: value for key, value in asdict(score).items() if key not in ("source", "decoding")}
    return {
        **plain,
        "decoding": score.decoding.model_dump(mode="json") if score.decoding else None,
        "source": score.source.model_dump(mode="json"),
    }
