"""Which documents two sides have in common, by (document hash, occurrence), and whether both were asked the same of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.compare.items import Items

HASH_DIGITS = 12
"""Of a document's hash, in messages."""


@dataclass(frozen=True)
class Paired:
    """Where the documents in common stand on both sides, in the order of A: numpy arrays of places, of one length."""

    a: Any
    b: Any
    only_a: int
    only_b: int
    """Documents that the other side does not have: left out."""
    refused: str | None = None
    """Why they must not be compared, in words; None where they may."""

    def __len__(self) -> int:
        return len(self.a)


def paired_items(a: Items, b: Items) -> Paired:
    """Pair the documents of one task. Refused where nothing pairs, a document stands twice, or the requests differ.

    A document that only one side has is counted and left out: a run with `--limit` takes a part of the documents by their
    hash and changes no prompt, so what is in common is still the same measurement.
    """
    import numpy as np

    places_a, places_b = _places(a), _places(b)
    common = [key for key in places_a if key in places_b]
    at_a = np.array([places_a[key] for key in common], dtype=np.int64)
    at_b = np.array([places_b[key] for key in common], dtype=np.int64)
    refused = _twice(a, places_a, "A") or _twice(b, places_b, "B") or _refusal(a, b, at_a, at_b)
    return Paired(at_a, at_b, len(places_a) - len(common), len(places_b) - len(common), refused)


def _places(items: Items) -> dict[tuple[str, int], int]:
    return {key: at for at, key in enumerate(zip(items.doc_hash, items.occurrence.tolist(), strict=True))}


def _twice(items: Items, places: dict[tuple[str, int], int], side: str) -> str | None:
    surplus = len(items) - len(places)
    return f"the samples of {side} name {surplus:,} documents more than once" if surplus else None


def _refusal(a: Items, b: Items, at_a: Any, at_b: Any) -> str | None:
    if not len(at_a):
        return f"not one of {len(a):,} documents of A is among {len(b):,} of B"
    asked_a, asked_b = a.request_hash[at_a], b.request_hash[at_b]
    unlike = [at for at, pair in enumerate(zip(asked_a, asked_b, strict=True)) if pair[0] is None or pair[0] != pair[1]]
    if not unlike:
        return None
    first = int(at_a[unlike[0]])
    which = f"document {int(a.doc_id[first])} ({str(a.doc_hash[first])[:HASH_DIGITS]}…)"
    return f"prompts differ: the requests of {len(unlike):,} of {len(at_a):,} documents are not the same, first {which}"
