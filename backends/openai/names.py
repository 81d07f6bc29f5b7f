"""Which of a server's models is the one that is asked for: by its names, since a server shows nothing else of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backends.openai.endpoint import Endpoint
from zoo.checkpoint.model_ref import ModelRef
from zoo.errors import ModelNotServed, ServerFailing

SHOWN = 8
"""Names of other models that an error lists."""


@dataclass(frozen=True)
class ServedModel:
    """A model as `/v1/models` lists it."""

    id: str
    owner: str = ""
    """`owned_by`: what kind of server it is, where nothing stands before it."""
    length: int | None = None
    """Positions with which the server runs it; None where it does not tell."""


def find_served(listing: Mapping[str, Any] | None, ref: ModelRef, endpoint: Endpoint) -> ServedModel:
    """The model that is meant: the one that the user named behind `#`, else the one of the checkpoint's own names.

    `listing` is None where the server has none. Raises ModelNotServed, which lists what is served, and ServerFailing for a
    listing that cannot be read.
    """
    served = _listed(listing, endpoint)
    if endpoint.model is not None and (listing is None or not served):
        return ServedModel(endpoint.model)
    wanted = {endpoint.model} if endpoint.model is not None else _names(ref)
    found = [each for each, names in served if wanted & names] or [
        each for each, names in served if endpoint.model is None and _short(wanted) & _short(names)
    ]
    if len({each.id for each in found}) == 1:
        return found[0]
    ids = [each.id for each, _ in served]
    what = "more than one model of that name" if found else "not " + (endpoint.model or ref.shown)
    listed = ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
    raise ModelNotServed(
        f"{endpoint.shown} serves {listed or 'no model that it names'}, {what}.",
        "Start it with that name (`vllm serve … --served-model-name`), or say which one is meant: --endpoint URL#NAME.",
    )


def _listed(listing: Mapping[str, Any] | None, endpoint: Endpoint) -> list[tuple[ServedModel, set[str]]]:
    """Every model of a listing with the names that it goes by: its id, and what it was loaded from."""
    rows = (listing or {}).get("data")
    if listing is not None and not isinstance(rows, list):
        raise ServerFailing(
            f"{endpoint.shown}/v1/models answers with no list of models.", "Check that the address is a model server's."
        )
    return [_model(row) for row in rows or () if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _model(row: Mapping[str, Any]) -> tuple[ServedModel, set[str]]:
    length = row.get("max_model_len")
    meta = row.get("meta")
    if length is None and isinstance(meta, dict):  # llama.cpp: n_ctx is that of a slot, n_ctx_train the model's own
        length = meta.get("n_ctx")
    known = length if isinstance(length, int) and not isinstance(length, bool) and length > 0 else None
    names = {name for name in (row["id"], row.get("root")) if isinstance(name, str)}
    return ServedModel(row["id"], str(row.get("owned_by") or ""), known), names


def _names(ref: ModelRef) -> set[str]:
    """What the checkpoint may be called by a server: its id, its aliases, its hub id, its folder."""
    names = {ref.id, ref.name}
    if ref.entry is not None:
        names |= {*ref.entry.aliases, ref.entry.hub.id if ref.entry.hub else None}
    if ref.folder is not None:
        names.add(str(ref.folder.resolve()))
    return {name for name in names if name}


def _short(names: Iterable[str]) -> set[str]:
    """The last parts of names, whatever their case: `NVIDIA/Minitron-4B-Base` and `/models/minitron-4b-base` are alike."""
    return {name.rstrip("/").rsplit("/", 1)[-1].lower().removesuffix(".gguf") for name in names}
