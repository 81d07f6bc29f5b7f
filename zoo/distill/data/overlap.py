"""Which tests' documents stand in the training text, told for each task, kept in a file, and what to leave out for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from zoo.distill.data.documents import Chat, Document
from zoo.distill.data.identity import Identity, identify
from zoo.distill.data.ngrams import COMMON, LEAST, SIZE, WORD, RunIndex, WordHashes, index_runs
from zoo.distill.data.reading import read_documents
from zoo.distill.data.sources import Source, pinned
from zoo.files import write_atomically
from zoo.prune.progress import ProgressCallback
from zoo.strict import Strict

CHARACTERS_AT_ONCE = 1 << 20
"""Characters of the documents that are compared together, which is faster."""


class HeldText(NamedTuple):
    """A document of a test, as the model is shown it: task, name of the document, text."""

    task: str
    name: str
    text: str


class TaskOverlap(Strict):
    """Of a task's documents: how many are long enough to be known again, and how many of these stand in the training text."""

    task: str
    documents: int
    judged: int
    found: int


class SourceOverlap(Strict):
    """Of a source: the documents, by number, that share a run of words with a test, and where each test's document stands."""

    name: str
    identity: Identity
    column: str | None = None
    documents: int
    overlapping: tuple[int, ...]
    places: dict[str, str] = Field(description="Task and name of a test's document → the first place, `file:line`.")


class OverlapReport(Strict):
    """Runs of `size` words in lower case, shorter tests whole; runs that more than `common` tests share are their template."""

    schema_: Literal["minizoo.overlap/1"] = Field("minizoo.overlap/1", alias="schema")
    size: int = SIZE
    least: int = LEAST
    common: int = COMMON
    held: str = Field(description="Digest of the tests' documents.")
    skip_broken: bool = False
    most_tokens: int | None = Field(default=None, description="How far streams of the hub were read.")
    tasks: tuple[TaskOverlap, ...] = ()
    sources: tuple[SourceOverlap, ...] = ()

    @property
    def left_out(self) -> dict[str, frozenset[int]]:
        """What to leave out so that nothing of a test is trained on: source → numbers of documents, for `RowSettings`."""
        return {source.name: frozenset(source.overlapping) for source in self.sources}

    @property
    def identities(self) -> dict[str, Identity]:
        """Who the sources were found to be, so that `prepare` need not read them for it."""
        return {source.name: source.identity for source in self.sources}


@dataclass(frozen=True)
class OverlapSettings:
    """How the text is read, as `RowSettings`: broken rows refused or counted, and a stream of the hub, which may have no end,
    as far as `most_tokens` can reach (a token is a word at most)."""

    skip_broken: bool = False
    most_tokens: int | None = None


def measure_overlap(
    sources: Sequence[Source],
    held: Iterable[HeldText],
    file: Path,
    chat: Chat | None = None,
    settings: OverlapSettings | None = None,
    progress: ProgressCallback | None = None,
) -> OverlapReport:
    """Read all the text and compare it with the tests; written to `file` after each source, and taken from there.

    A document overlaps that shares a run of 13 words with a test's, or holds a shorter test of 8 words or more whole
    (arXiv 2005.14165 appendix C). Departures: the length is that of each test's own document, not a percentile of its
    task's; and a run is a template by the number of tests, not of training documents, that share it. Raises as reading does.
    """
    settings = settings or OverlapSettings()
    texts = list(held)
    most = settings.most_tokens if any(source.hub for source in sources) else None
    report = OverlapReport(
        schema="minizoo.overlap/1", held=_digest(texts), skip_broken=settings.skip_broken, most_tokens=most
    )
    known = {source.name: source for source in _known(file, report)}
    hashed = WordHashes()
    index = index_runs((text.text for text in texts), hashed)
    report = report.model_copy(update={"tasks": _by_task(texts, index, ())})
    for source in sources:
        old = known.get(source.name)
        identity = identify(source, old.identity if old else None)
        if old is None or (old.identity.digest, old.column) != (identity.digest, source.column):
            reading = _Reading(pinned(source, identity.revision), identity, chat, settings, progress)
            old = reading.compared(texts, index, hashed)
        made = (*report.sources, old)
        report = report.model_copy(update={"tasks": _by_task(texts, index, made), "sources": made})
        write_atomically(file, (report.model_dump_json(by_alias=True, indent=1) + "\n").encode())
    return report


class _Reading(NamedTuple):
    source: Source
    identity: Identity
    chat: Chat | None
    settings: OverlapSettings
    progress: ProgressCallback | None

    def compared(self, texts: Sequence[HeldText], index: RunIndex, hashed: WordHashes) -> SourceOverlap:
        overlapping: list[int] = []
        places: dict[str, str] = {}
        count = done = 0
        for documents in self._together():
            for document, found in zip(
                documents, index.held_in([hashed.of(each.text) for each in documents]), strict=True
            ):
                for number in sorted(found):
                    places.setdefault(_key(texts[number]), document.where)
                if found:
                    overlapping.append(count)
                count += 1
                done += document.size
            if self.progress:
                self.progress(f"bytes of {self.source.name} compared with tests", done, max(done, self.identity.size))
        return SourceOverlap(
            name=self.source.name,
            identity=self.identity,
            column=self.source.column,
            documents=count,
            overlapping=tuple(overlapping),
            places=places,
        )

    def _together(self) -> Iterator[list[Document]]:
        """The documents, so many at once; of a stream of the hub, those that rows can reach."""
        left = self.settings.most_tokens if self.source.hub is not None else None
        waiting: list[Document] = []
        characters = 0
        for document in read_documents(self.source, self.chat, self.settings.skip_broken):
            waiting.append(document)
            characters += len(document.text)
            if left is not None and (left := left - len(WORD.findall(document.text))) <= 0:
                break
            if characters >= CHARACTERS_AT_ONCE:
                yield waiting
                waiting, characters = [], 0
        if waiting:
            yield waiting


def _by_task(texts: Sequence[HeldText], index: RunIndex, made: Sequence[SourceOverlap]) -> tuple[TaskOverlap, ...]:
    found = set[str]().union(*(source.places for source in made))
    counts: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        count = counts.setdefault(text.task, [0, 0, 0])
        count[0] += 1
        count[1] += number in index.judged
        count[2] += _key(text) in found
    return tuple(
        TaskOverlap(task=task, documents=documents, judged=judged, found=overlapping)
        for task, (documents, judged, overlapping) in counts.items()
    )


def _key(text: HeldText) -> str:
    return f"{text.task}/{text.name}"


def _digest(texts: Sequence[HeldText]) -> str:
    whole = hashlib.sha256()
    for text in texts:
        whole.update("\0".join(text).encode(errors="surrogatepass") + b"\n")
    return whole.hexdigest()


def _known(file: Path, wanted: OverlapReport) -> tuple[SourceOverlap, ...]:
    """What a run before this one found, read in the same way. A report that is broken says nothing: all is read again."""
    try:
        found = OverlapReport.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return ()
    same = {"size", "least", "common", "held", "skip_broken", "most_tokens"}
    return found.sources if found.model_dump(include=same) == wanted.model_dump(include=same) else ()
