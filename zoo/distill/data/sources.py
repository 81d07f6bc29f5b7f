"""Where training text comes from: files, folders and data sets of the hub, each with its share of what is trained on."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.errors import ConflictingOptions, InvalidOption, InvalidTrainingData
from zoo.prune.calibration_file import COMPRESSED

LINES = (".jsonl", ".ndjson")
KINDS = (".txt", ".md", *LINES, ".parquet")
GIVE = "Give .txt, .jsonl or .parquet files, a folder of them, or a data set's name (owner/name[:config[:split]])."
REFUSED = {
    **dict.fromkeys(COMPRESSED, ("is compressed", "Unpack it first.")),
    ".json": ("is one JSON document, no text", "Write an object a line: `jq -c '.[]' FILE.json > FILE.jsonl`."),
    ".csv": ("is a table, no text", "Write its rows as a .jsonl."),
    ".tsv": ("is a table, no text", "Write its rows as a .jsonl."),
    ".arrow": ("is an Arrow file", "Give the folder that `save_to_disk` wrote it in, or write a .parquet."),
    ".npy": ("holds token ids", "Give the text: rows keep documents apart, which ids alone do not."),
}
"""Kinds of files that would be read as text although they are none → what they are, and what to do."""
SAVED = "state.json"
"""What is in every folder that `datasets`' save_to_disk wrote."""
HUB_NAME = re.compile(r"(?P<id>[\w-][\w.-]*(/[\w-][\w.-]*)?)(:(?P<config>[^:]*))?(:(?P<split>[^:]+))?")


@dataclass(frozen=True)
class HubData:
    """A data set of the hub, read as a stream; without a configuration the one that it has."""

    id: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None


@dataclass(frozen=True)
class Source:
    """A word of the user's: a file, a folder or a name; `share` is its part of the rows trained on, if it was given."""

    name: str
    path: Path | None = None
    hub: HubData | None = None
    share: float | None = None
    column: str | None = None
    """The column that holds the text, or the turns of a conversation; None: `text`, else `messages`, else `conversations`."""
    files: tuple[Path, ...] = field(default=(), compare=False)
    """The files of `path` in their order; none for a folder of `save_to_disk` and for the hub."""


def parse_source(word: str, column: str | None = None) -> Source:
    """`PATH`, `NAME[:CONFIG[:SPLIT]]`, either with `@SHARE`. A word that is a path as it stands is one.

    Raises InvalidTrainingData for what is not there or is of a kind that holds no text, InvalidOption for a share that is none.
    """
    name, share = word, None
    before, mark, after = word.rpartition("@")
    if mark and not Path(word).exists():
        name, share = before, _share(after, word)
    path = Path(name)
    if name and path.exists():
        return Source(name, path, None, share, column, _files(path))
    found = HUB_NAME.fullmatch(name)
    if found is None or path.suffix.lower() in (*KINDS, *REFUSED):
        raise InvalidTrainingData(f"There is no {name}.", GIVE)
    hub = HubData(found["id"], found["config"] or None, found["split"] or "train")
    return Source(name, None, hub, share, column)


def parse_sources(words: Sequence[str], column: str | None = None) -> tuple[Source, ...]:
    """All the sources of a run. Raises as `parse_source`, and ConflictingOptions where some have a share and others none."""
    sources = tuple(parse_source(word, column) for word in words)
    if not sources:
        raise InvalidTrainingData("There is no text to train on.", GIVE)
    without = [source.name for source in sources if source.share is None]
    if without and len(without) < len(sources):
        raise ConflictingOptions(
            f"{without[0]} has no share, and other sources have one.", "Give each a share (FILE@0.7), or none."
        )
    twice = {source.name for source in sources if sum(other.name == source.name for other in sources) > 1}
    if twice:
        raise ConflictingOptions(f"{min(twice)} is given twice.", "Give it once, with a share.")
    return sources


def pinned(source: Source, revision: str | None) -> Source:
    """A data set of the hub at one commit; a source of files as it is."""
    return source if source.hub is None else replace(source, hub=replace(source.hub, revision=revision))


def _share(word: str, whole: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = math.nan
    if not (math.isfinite(share) and share > 0):
        raise InvalidOption(f"{word!r} in {whole} is no share.", "Give a number above 0 behind the @: web.jsonl@0.7.")
    return share


def _files(path: Path) -> tuple[Path, ...]:
    """The files of a path in the order of their names, hidden ones left out."""
    if path.is_file() or not path.is_dir():
        _check_kind(path)
        return (path,)
    if (path / SAVED).is_file():
        return ()
    if (path / "dataset_dict.json").is_file():
        raise InvalidTrainingData(f"{path} holds several splits.", f"Give one of its folders: {path}/train.")
    inside = sorted(each for each in path.rglob("*") if each.is_file())
    shown = [each for each in inside if not any(part.startswith(".") for part in each.relative_to(path).parts)]
    files = tuple(each for each in shown if each.suffix.lower() in KINDS)
    if not files:
        raise InvalidTrainingData(f"The folder {path} has no file of text.", GIVE)
    return files


def _check_kind(path: Path) -> None:
    kind = path.suffix.lower()
    if kind in REFUSED:
        what, hint = REFUSED[kind]
        raise InvalidTrainingData(f"{path} {what}.", f"{hint} {GIVE}")
    if not path.is_file():
        raise InvalidTrainingData(f"{path} is neither a file nor a folder.", GIVE)
