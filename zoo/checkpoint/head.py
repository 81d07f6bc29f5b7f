"""Whether the output head is the embedding table: what config.json says against what is stored, as transformers decides.

Stored weights that differ win over a config that ties them, and a config that ties them takes the one that is stored for
both (modeling_utils.tie_weights). A config that does not tie them and weights without a head are no whole model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.arch.config_keys import ConfigView
from zoo.arch.dims import Dense
from zoo.checkpoint.plan_folder import virtual_parent
from zoo.checkpoint.safetensors import StoredTensor, same_bytes, stored_tensors
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import InputError

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
KEY = "tie_word_embeddings"
BLOCK = 2 << 20
"""Bytes of one read."""


def with_stored_head(
    config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]
) -> tuple[Mapping[str, Any], Mapping[str, StoredTensor]]:
    """The config as transformers acts on it with these weights, and the weights without a second copy of the table.

    Only where config.json ties the two and both are stored does this read weights, up to the first difference.
    """
    if ConfigView(config).value("tied_embeddings") is not True or HEAD not in tensors:
        return config, tensors
    table = tensors.get(EMBEDDING)
    if table is not None and not _same_values(table, tensors[HEAD]):
        return untied(config), tensors
    kept = {name: tensor for name, tensor in tensors.items() if name != HEAD}
    return config, {EMBEDDING: tensors[HEAD], **kept} if table is None else kept


def config_as_stored(config: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """The config of a folder with the head that its weights have; as it stands where the folder has none that can be read."""
    if ConfigView(config).value("tied_embeddings") is not True or virtual_parent(folder):
        return config
    try:
        return with_stored_head(config, stored_tensors(weight_files(folder).read))[0]
    except InputError:
        return config


def told_of_head(folder: Path) -> str:
    """What is said where the weights have a head that config.json does not know of."""
    return (
        f"{folder / 'config.json'} ties the head to the embedding table, and {HEAD} is stored with other values: "
        "the stored head is used, as transformers does."
    )


def untied(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config with the head apart from the table, wherever the key may stand."""
    text = config.get("text_config")
    nested = {"text_config": {**text, KEY: False}} if isinstance(text, Mapping) else {}
    return {**config, **nested, KEY: False}


def missing_head_hint(dims: Dense, missing: list[str]) -> str:
    """What to do about a model that lacks its head alone."""
    if missing == [HEAD] and not dims.tied_embeddings:
        return f"If the embedding table serves as head, config.json must say so: {KEY}: true."
    return "Fetch or write the checkpoint again."


def _same_values(table: StoredTensor, head: StoredTensor) -> bool:
    """Equal numbers, also where one is stored in another precision."""
    import numpy as np  # here: what resolves a name is to be quick to import

    from zoo.checkpoint.tensor_rows import BITS, read_rows, row_bytes, to_float

    if table.dtype == head.dtype or table.shape != head.shape or not {table.dtype, head.dtype} <= BITS.keys():
        return same_bytes(table, head)
    rows = max(1, BLOCK // row_bytes(table))
    for first in range(0, table.shape[0], rows):
        count = min(rows, table.shape[0] - first)
        one, other = (to_float(read_rows(tensor, first, count), tensor.dtype) for tensor in (table, head))
        if not np.array_equal(one, other):
            return False
    return True
