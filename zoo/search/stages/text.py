"""The text of a search in three parts that share no document: what is trained on, what ranks, and what confirms.

Which documents are held out is decided by a digest of their text and the seed, so equal documents go together.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.distill.data.packing import Framing
from zoo.distill.data.prepare import RowSettings, prepare
from zoo.distill.data.reading import read_documents
from zoo.distill.data.rows import TokenRows
from zoo.distill.data.shards import open_rows
from zoo.distill.data.sources import Source, parse_sources
from zoo.distill.data.tokenizing import TextTokenizer
from zoo.errors import InvalidTrainingData, TooLittleData
from zoo.files import json_object, write_atomically
from zoo.prune.progress import ProgressCallback
from zoo.search.stages.held_out import HeldOut

HELD_SHARE = 8
"""One document of so many may be held out, for ranking and confirming together."""
LEAST_DOCUMENTS = 20
"""Documents of a held-out part at least: of fewer a resampling says nothing."""
SCHEMA = "minizoo.search-text/1"
MakeText = Callable[[Path, int, int], None]
"""Writes text to train on to a file: its path, how many tokens are trained on, a seed."""


@dataclass(frozen=True)
class TextSettings:
    """Which text: files or folders of text as `minizoo distill --data` takes them, rows of `length` tokens, and how many
    documents each held-out part has at most."""

    data: tuple[str, ...]
    column: str | None
    length: int
    held_out: int
    seed: int


@dataclass(frozen=True)
class SearchText:
    """The parts. `rows` come in an order by a seed that the run chooses (`in_order`)."""

    folder: Path
    sources: tuple[Source, ...]
    vocabulary: int
    ranking: HeldOut
    confirming: HeldOut

    def in_order(self, seed: int) -> TokenRows:
        """The rows to train on, in an order of that seed."""
        return open_rows(self.folder, self.sources, self.vocabulary, seed)

    @property
    def names(self) -> tuple[str, ...]:
        """The sources by name, files without their folders."""
        return tuple(source.path.name if source.path else source.name for source in self.sources)


@dataclass
class _Smallest:
    """The documents of the smallest digests: their text, and where each of them stands, by source."""

    most: int
    texts: dict[str, str] = field(default_factory=dict[str, str])
    places: dict[str, list[tuple[str, int]]] = field(default_factory=dict[str, list[tuple[str, int]]])
    documents: int = 0
    _largest: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def add(self, source: str, number: int, text: str, seed: int) -> None:
        self.documents += 1
        key = hashlib.sha256(f"{seed}\0{text}".encode()).hexdigest()
        if key in self.texts:
            self.places[key].append((source, number))
            return
        if len(self._largest) == self.most and key >= self._largest[0][1]:
            return
        self.texts[key], self.places[key] = text, [(source, number)]
        heapq.heappush(self._largest, _falling(key))
        if len(self._largest) > self.most:
            self.drop_largest()

    def drop_largest(self) -> None:
        key = heapq.heappop(self._largest)[1]
        del self.texts[key], self.places[key]


def open_text(
    settings: TextSettings, tokenizer: TextTokenizer, home: Path, work: Path, progress: ProgressCallback | None = None
) -> SearchText:
    """Split the text and make the rows in `home`, once; the same call goes on. What is held out is kept in `work`.

    Raises InvalidTrainingData for a data set of the hub, TooLittleData where too few documents could be held out, and what
    `prepare` raises.
    """
    sources = parse_sources(settings.data, settings.column)
    hub = [source.name for source in sources if source.hub is not None]
    if hub:
        raise InvalidTrainingData(
            f"{hub[0]} is a data set of the hub, and a search takes documents out of its text, which it reads whole before.",
            "Write its text to a .jsonl, or give a folder that `save_to_disk` wrote.",
        )
    held = _held_out(sources, settings, tokenizer, work / "held-out.json")
    left_out: dict[str, set[int]] = {}
    for source, number in held["left_out"]:
        left_out.setdefault(source, set()).add(number)
    rows = RowSettings(settings.length, left_out={name: frozenset(numbers) for name, numbers in left_out.items()})
    prepare(sources, tokenizer, rows, home / "rows", progress)
    parts = (HeldOut(tuple(map(tuple, held[part]))) for part in ("ranking", "confirming"))
    return SearchText(home / "rows", sources, tokenizer.vocabulary, *parts)


def _held_out(
    sources: Sequence[Source], settings: TextSettings, tokenizer: TextTokenizer, file: Path
) -> dict[str, Any]:
    """Both parts as token ids, and the places of their documents."""
    made_of = {"schema": SCHEMA, "seed": settings.seed, "most": settings.held_out, "length": settings.length}
    kept = json_object(file)
    if kept.get("made_of") == made_of:
        return kept
    smallest = _Smallest(2 * settings.held_out)
    for name, number, text in _documents(sources, tokenizer):
        smallest.add(name, number, text, settings.seed)
    while len(smallest.texts) > smallest.documents // HELD_SHARE:
        smallest.drop_largest()
    if len(smallest.texts) < 2 * LEAST_DOCUMENTS:
        least = 2 * LEAST_DOCUMENTS * HELD_SHARE
        raise TooLittleData(
            f"The text has {smallest.documents:,} documents, and a search needs {least:,}: one of {HELD_SHARE} is held out, "
            "half to rank candidates and half to confirm the winner.",
            "Give more text. A .txt is one document: write a .jsonl, a document a line.",
        )
    framing = Framing(settings.length, tokenizer.bos, tokenizer.eos)
    keys = sorted(smallest.texts)
    ids = [
        framing.framed(each)[: settings.length].tolist() for each in tokenizer.encode([smallest.texts[k] for k in keys])
    ]
    ids = [each for each in ids if len(each) > 1]
    half = len(ids) // 2
    places = sorted(place for key in keys for place in smallest.places[key])
    held = {"made_of": made_of, "ranking": ids[:half], "confirming": ids[half : 2 * half], "left_out": places}
    write_atomically(file, json.dumps(held).encode())
    return held


def _documents(sources: Sequence[Source], tokenizer: TextTokenizer) -> Iterator[tuple[str, int, str]]:
    """Every document that is not empty: its source, its number there, its text."""
    for source in sources:
        for number, document in enumerate(read_documents(source, tokenizer.chat)):
            if not document.is_empty:
                yield source.name, number, document.text


def _falling(key: str) -> tuple[int, str]:
    """A heap's smallest is the largest key."""
    return -int(key, 16), key
