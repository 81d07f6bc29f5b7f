"""What the registry says of a model, as plain data that JSON and tables are made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from zoo.arch.parameters import count_parameters, flops_per_token, kv_bytes_per_token
from zoo.arch.roofline import decode_bytes
from zoo.arch.weight_bytes import WeightBytes, weight_bytes
from zoo.errors import StorageUnknown
from zoo.registry.loader import Model, PublishedScore, Registry
from zoo.registry.statements import actual_value, agrees
from zoo.registry.stored import kv_dtype, stored_as, stored_weights


def summary(model: Model) -> dict[str, Any]:
    """The line of a model in a list."""
    return {
        "id": model.id,
        "display": model.display,
        "group": model.group,
        "kind": model.kind,
        "names": list(model.names),
        "hub": model.hub.id if model.hub else None,
        "weights": where_weights_are(model),
        "parent": model.lineage.parent if model.lineage else None,
        "parameters": count_parameters(model.architecture).total,
        "stored_bytes": _total(stored_weights(model)),
        "kv_bytes_per_token": kv_bytes_per_token(model.architecture, kv_dtype(model)),
        "default_suite": model.suite,
    }


def facts(model: Model, registry: Registry) -> dict[str, Any]:
    """Everything the registry says of a model, and what its dimensions imply. None means unknown."""
    hidden = {"published", "published_scores", "architecture", "parameters", "stated"}
    stated = {key: getattr(model, key) for key in type(model).model_fields if key not in hidden | {"id"}}
    return {
        "id": model.id,
        **{key: _plain(value) for key, value in stated.items()},
        "default_suite": model.suite,
        "weights_at": where_weights_are(model),
        "ancestors": [ancestor.id for ancestor in registry.ancestors(model.id)],
        "children": [child.id for child in registry.children(model.id)],
        "architecture": architecture_facts(model),
        "statements": [
            {**said.model_dump(mode="json"), "actual": actual_value(model, said.field), "agrees": agrees(said, model)}
            for said in model.stated
        ],
        "published_scores": [score_facts(score) for score in model.published_scores],
    }


def where_weights_are(model: Model) -> str:
    """`shipped`, the hub id, `to be made` or `not public` where a source says so, else `unknown`."""
    if model.weights is not None:
        return "shipped"
    if model.hub is not None:
        return model.hub.id
    if model.made is not None:
        return "to be made"
    return "not public" if model.released is False else "unknown"


def architecture_facts(model: Model) -> dict[str, Any]:
    """A model's dimensions, its parameters in closed form beside the declared count, and its costs as stored and in bf16."""
    dims, stored, kv = model.architecture, stored_weights(model), kv_dtype(model)
    count = count_parameters(dims)
    return {
        **dims.model_dump(mode="json"),
        "parameters": count.total,
        "declared_parameters": model.parameters,
        "embedding_parameters": count.embedding + count.head,
        "non_embedding_parameters": count.non_embedding,
        "parameters_per_layer": list(count.per_layer),
        "weight_bytes_bf16": weight_bytes(dims),
        "stored_as": stored_as(model),
        "stored_bytes": _total(stored),
        "kv_cache_dtype": kv,
        "kv_bytes_per_token": kv_bytes_per_token(dims, kv),
        "kv_bytes_per_token_bf16": kv_bytes_per_token(dims),
        "flops_per_token": flops_per_token(dims),
        "decode_bytes": _decode_bytes(model, stored),
        "decode_bytes_bf16": decode_bytes(dims),
    }


def _total(stored: WeightBytes | None) -> int | None:
    return stored.total if stored else None


def _decode_bytes(model: Model, stored: WeightBytes | None) -> int | None:
    """Bytes that a decode step reads of the weights as they are stored; None where that is not known."""
    try:
        return decode_bytes(model.architecture, weights=stored) if stored else None
    except StorageUnknown:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def score_facts(score: PublishedScore) -> dict[str, Any]:
    """One published score with protocol and source."""
    plain = {key: value for key, value in asdict(score).items() if key not in ("source", "decoding")}
    return {
        **plain,
        "decoding": score.decoding.model_dump(mode="json") if score.decoding else None,
        "source": score.source.model_dump(mode="json"),
    }


MARKS = ("<!-- models:begin -->", "<!-- models:end -->")


def markdown_table(registry: Registry) -> str:
    """The table of models for the README, between MARKS (kept current by a test)."""
    rows = ["| model | made from | parameters | stored | KV cache a token | weights |", "|---|---|--:|--:|--:|---|"]
    for model in registry.models.values():
        line = summary(model)
        at = line["weights"]
        weights = f"[{at}](https://huggingface.co/{at})" if model.hub and not model.weights else at
        origin = line["parent"] or (model.lineage.parent_elsewhere if model.lineage else None) or "–"
        kv = f"{line['kv_bytes_per_token'] / 1024:g} KiB"
        stored = _stored(line["stored_bytes"])
        rows.append(f"| `{model.id}` | {origin} | {line['parameters']:,} | {stored} | {kv} | {weights} |")
    return "\n".join([MARKS[0], *rows, MARKS[1]]) + "\n"


def _stored(count: int | None) -> str:
    if count is None:
        return "unknown"
    return (f"{count / 1e9:#.3g} GB" if count >= 1e9 else f"{count / 1e6:#.3g} MB").replace(". ", " ")
