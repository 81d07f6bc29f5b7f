"""The names that models are shown by. Derived, so that they stay right when another folder of the same name arrives.

A registry or hub model is shown by its id. A folder is shown by the name that the user gave, else by the shortest end of its
path that no other folder of the store has (`final` alone; `runA/final` beside `runB/final`), and never by a registry name. A
snapshot in the hub's cache counts as a folder of its repository's name.
Weights tell: where one name stands for two digests of weights, every such name carries its own, `final@1a2b3c4d`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from harness.records.record import Record
from zoo.names import folder_parts

RANDOM = "random"
"""The source, and the beginning of the digest, of weights that were drawn."""
DIGITS = 8


@dataclass(frozen=True)
class Identity:
    """What a record says of whom it measured."""

    kind: Literal["registry", "hub", "folder"]
    id: str
    name: str | None
    """Given by the user."""
    source: str
    """Of a folder its path."""
    digest: str | None
    """Of the weights; None where they are random, or nobody here has computed it."""


def identity_of(record: Record) -> Identity:
    """Whom a record measured. One of before `kind` was recorded counts as a folder where nothing else can be meant."""
    subject = record.subject
    weights = [facts.weights for facts in (record.speed, record.beside) if facts is not None]
    drawn, own = RANDOM in (subject.source, *weights), record.source == "measured"
    digest = None if drawn or not own else subject.weights_digest or None
    kind = subject.kind
    if kind is None:
        elsewhere = not own or drawn or "/" in subject.id
        kind = "registry" if subject.entry is not None else "hub" if elsewhere else "folder"
    return Identity(kind, subject.id, subject.name, subject.source, digest)


def shown_names(identities: Collection[Identity], is_registered: Callable[[str], bool]) -> dict[Identity, str]:
    """The name of each, given all of the store and a test for the registry's ids, aliases and hub ids."""
    paths = _path_names(identities, is_registered)
    plain = {identity: _plain_name(identity, paths, is_registered) for identity in identities}
    digests: dict[str, set[str]] = defaultdict(set)
    for identity, name in plain.items():
        if identity.digest:
            digests[name].add(identity.digest)
    return {
        identity: f"{name}@{identity.digest[:DIGITS]}" if identity.digest and len(digests[name]) > 1 else name
        for identity, name in plain.items()
    }


def _plain_name(identity: Identity, paths: dict[str, str], is_registered: Callable[[str], bool]) -> str:
    if identity.kind != "folder":
        return identity.id
    name = identity.name or paths.get(identity.source) or identity.id
    return f"./{name}" if is_registered(name) else name


def _path_names(identities: Collection[Identity], is_registered: Callable[[str], bool]) -> dict[str, str]:
    """Folder → the shortest end of its path that names it alone."""
    folders: dict[str, set[str]] = defaultdict(set)
    for identity in identities:
        if identity.kind == "folder" and identity.name is None and identity.source != RANDOM:
            folders[identity.source] |= {identity.digest} if identity.digest else set()
    hub = {identity.id.casefold() for identity in identities if identity.kind == "hub"}
    parts = {folder: folder_parts(folder) for folder in folders}
    whole = {folder: _whole(folder, folders, parts) for folder in folders}
    ends = Counter(end for named in {parts[folder] for folder in whole.values()} for end in _ends(named))
    names: dict[str, str] = {}
    for folder in folders:
        free = (
            "/".join(end)
            for end in _ends(parts[whole[folder]])
            if ends[end] == 1 and "/".join(end).casefold() not in hub and not is_registered("/".join(end))
        )
        names[folder] = next(free, "./" + "/".join(parts[whole[folder]]))
    return names


def _whole(folder: str, folders: dict[str, set[str]], parts: dict[str, tuple[str, ...]]) -> str:
    """The absolute path of a folder that an earlier record names relative to some working directory: the one that ends alike
    and has the same weights; itself where there is none."""
    if folder.startswith("/"):
        return folder
    alike = (
        other
        for other in sorted(folders)
        if other.startswith("/") and folders[other] & folders[folder] and parts[folder] in _ends(parts[other])
    )
    return next(alike, folder)


def _ends(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The last component, the last two, …"""
    return [parts[-length:] for length in range(1, len(parts) + 1)]
