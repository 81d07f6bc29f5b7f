"""Names of weight files in transformers' older form: pickled by torch.save, in one file or in shards with an index."""

from __future__ import annotations

from collections.abc import Collection

PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"


def pickled_entry(names: Collection[str]) -> str | None:
    """The pickled file, or the index of shards, that transformers would load where there are no safetensors; None for none.

    A whole file comes before an index, as with safetensors. Other `.bin` files (an optimiser's, a trainer's) are no weights.
    """
    return next((name for name in (PICKLED, PICKLED_INDEX) if name in names), None)
