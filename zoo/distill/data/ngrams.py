"""Runs of words that two texts share, found by 64-bit hashes of all runs of the texts that are held out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

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


@dataclass
class WordHashes:
    """Texts as hashes of their words, in lower case and without punctuation."""

    _known: dict[str, int] = field(default_factory=dict)

    def of(self, text: str) -> Hashes:
        """A hash a word. The same in every process: it is no hash of Python's."""
        words = WORD.findall(text.lower())
        if len(self._known) > REMEMBERED:
            self._known.clear()
        known = self._known
        for word in words:
            if word not in known:
                known[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        return np.fromiter((known[word] for word in words), dtype=np.uint64, count=len(words))


def runs(words: Hashes, size: int) -> Hashes:
    """A hash of every run of `size` words, by their order."""
    count = len(words) - size + 1
    if count <= 0:
        return np.zeros(0, dtype=np.uint64)
    found = np.full(count, size, dtype=np.uint64)
    for at in range(size):
        found = (found ^ (found >> np.uint64(29))) * MULTIPLIER + words[at : at + count]
    return found


@dataclass(frozen=True)
class RunIndex:
    """The runs of the held texts by their number of words: hashes in ascending order, and the text of each."""

    by_size: dict[int, tuple[Hashes, NDArray[np.int64]]]
    judged: frozenset[int]
    """Numbers of the held texts that are long enough to be known again."""

    def held_in(self, words: Hashes) -> set[int]:
        """The numbers of the held texts that share a run with a text of these words."""
        found: set[int] = set()
        for size, (hashes, texts) in self.by_size.items():
            own = np.unique(runs(words, size))
            first = np.searchsorted(hashes, own, side="left")
            last = np.searchsorted(hashes, own, side="right")
            for begin, end in zip(first[last > first], last[last > first], strict=True):
                found.update(texts[begin:end].tolist())
        return found


def index_runs(texts: Iterable[str], hashed: WordHashes) -> RunIndex:
    """The index of the held texts, numbered as they come."""
    parts: dict[int, list[tuple[Hashes, int]]] = {}
    judged: set[int] = set()
    for number, text in enumerate(texts):
        words = hashed.of(text)
        if len(words) >= LEAST:
            size = min(SIZE, len(words))
            parts.setdefault(size, []).append((np.unique(runs(words, size)), number))
            judged.add(number)
    return RunIndex({size: _sorted(each) for size, each in sorted(parts.items())}, frozenset(judged))


def _sorted(parts: list[tuple[Hashes, int]]) -> tuple[Hashes, NDArray[np.int64]]:
    """All runs of one size in the order of their hashes, without those of a template."""
    hashes = np.concatenate([part for part, _ in parts])
    texts = np.repeat([number for _, number in parts], [len(part) for part, _ in parts])
    order = np.argsort(hashes, kind="stable")
    hashes, texts = hashes[order], texts[order]
    _, where, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    rare = counts[where] <= COMMON
    return hashes[rare], texts[rare]
