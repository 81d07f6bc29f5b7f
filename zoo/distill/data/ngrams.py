"""Runs of words that two texts share, found by 64-bit hashes of all runs of the texts that are held out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]

SIZE = 13
"""Words of a run by which a text is known again (GPT-3, arXiv 2005.14165 appendix C)."""
LEAST = 8
"""A held text of fewer words than SIZE is known by all of them, one of fewer than these not at all (as there)."""
COMMON = 10
"""A run that more held texts than these share says nothing of any: it is their template."""
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Japanese kana and Chinese characters, which stand without spaces: each counts as a word."""
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
REMEMBERED = 1 << 20
"""Words whose hash is remembered; the memory is emptied when it is full."""


class WordHashes(dict[str, int]):
    """Texts as hashes of their words, in lower case and without punctuation. The hashes are the same in every process."""

    def of(self, text: str) -> Hashes:
        """A hash a word."""
        words = WORD.findall(text.lower())
        if len(self) > REMEMBERED:
            self.clear()
        return np.fromiter(map(self.__getitem__, words), dtype=np.uint64, count=len(words))

    def __missing__(self, word: str) -> int:
        found = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        self[word] = found
        return found


def runs(words: Hashes, sizes: Collection[int]) -> Iterator[tuple[int, Hashes]]:
    """For each of the sizes, a hash of every run of so many words; that of a run is made from that of its first words."""
    found = np.zeros(len(words), dtype=np.uint64)
    for at in range(min(max(sizes, default=0), len(words))):
        found = found[: len(words) - at]
        found = (found ^ (found >> np.uint64(29))) * MULTIPLIER + words[at:]
        if at + 1 in sizes:
            yield at + 1, found


@dataclass(frozen=True)
class _Runs:
    """All runs of one size: hashes in ascending order, and the held text of each. `seen` is true at the low bits of each."""

    hashes: Hashes
    texts: Numbers
    seen: NDArray[np.bool_]

    def places_in(self, found: Hashes) -> Iterator[tuple[int, Numbers]]:
        """The places of hashes that are among these, with the held texts of each."""
        # most hashes are in no held text, and one look at a table says so of nearly all of them
        likely = np.flatnonzero(self.seen[found & np.uint64(len(self.seen) - 1)])
        first = np.searchsorted(self.hashes, found[likely], side="left")
        last = np.searchsorted(self.hashes, found[likely], side="right")
        for at in np.flatnonzero(last > first):
            yield int(likely[at]), self.texts[first[at] : last[at]]


@dataclass(frozen=True)
class RunIndex:
    """The runs of the held texts by their number of words. `judged` are the texts that are long enough to be known again."""

    by_size: dict[int, _Runs]
    judged: frozenset[int]

    def held_in(self, documents: Sequence[Hashes]) -> list[set[int]]:
        """For each document, as the hashes of its words, the numbers of the held texts that share a run with it."""
        found: list[set[int]] = [set() for _ in documents]
        lengths = [len(words) for words in documents]
        document_at = np.repeat(np.arange(len(documents)), lengths)
        ends = np.cumsum(lengths)
        whole = np.concatenate(documents) if documents else np.zeros(0, dtype=np.uint64)
        for size, hashes in runs(whole, self.by_size.keys()):
            for at, texts in self.by_size[size].places_in(hashes):
                document = document_at[at]
                if at + size <= ends[document]:  # else it goes on into the next document
                    found[document].update(texts.tolist())
        return found


def index_runs(texts: Iterable[str], hashed: WordHashes) -> RunIndex:
    """The index of the held texts, numbered as they come."""
    parts: dict[int, list[tuple[Hashes, int]]] = {}
    judged: set[int] = set()
    for number, text in enumerate(texts):
        words = hashed.of(text)
        if len(words) >= LEAST:
            for size, found in runs(words, {min(SIZE, len(words))}):
                parts.setdefault(size, []).append((np.unique(found), number))
            judged.add(number)
    return RunIndex({size: _sorted(each) for size, each in sorted(parts.items())}, frozenset(judged))


def _sorted(parts: list[tuple[Hashes, int]]) -> _Runs:
    """All runs of one size in the order of their hashes, without those of a template."""
    hashes = np.concatenate([part for part, _ in parts])
    texts = np.repeat([number for _, number in parts], [len(part) for part, _ in parts])
    order = np.argsort(hashes, kind="stable")
    hashes, texts = hashes[order], texts[order]
    _, where, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    rare = counts[where] <= COMMON
    seen = np.zeros(1 << max(16, (8 * len(hashes)).bit_length()), dtype=np.bool_)
    seen[hashes[rare] & np.uint64(len(seen) - 1)] = True
    return _Runs(hashes[rare], texts[rare], seen)
