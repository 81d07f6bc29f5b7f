"""Who the records are of: models of the registry, invented families of a parent and its children, and hostile names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from harness.records.record import Subject
from zoo.registry.loader import load_registry

REGISTERED = (
    "llama-3.1-8b",
    "llama-3.1-minitron-4b-width",
    "llama-3.1-minitron-4b-depth",
    "mistral-nemo-12b",
    "mistral-nemo-minitron-8b",
    "mistral-nemo-minitron-8b-instruct",
    "nemotron-4-15b",
    "minitron-8b",
    "minitron-4b",
    "nemotron-nano-9b-v2",
)
"""Parents stand before their children."""
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\u202egnp.ledom \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "long-" + "x" * 10_000,
    '=HYPERLINK("//example.invalid")|--|`*_"',
    "NaN",
)
"""Names that a folder can be given: they must stay text on a page, in CSV and in Markdown."""
CHILDREN = (("width", 0.5, 0.12), ("depth", 0.5, 0.3), ("small", 0.25, 0.5))
"""How a child was cut, its share of the parent's size, and about how much ability it lost."""


@dataclass(frozen=True)
class Model:
    """An invented model: `ability` is in standard deviations of a document's difficulty, `size` in parameters."""

    subject: Subject
    ability: float
    size: float
    parent: int | None
    """Its parent's place among the models."""
    hostile: bool = False


def models(count: int) -> list[Model]:
    """That many models: some of the registry's, families of four, and a few with hostile names where there is room."""
    hostile = min(len(HOSTILE), count // 8)
    registered: list[str] = list(REGISTERED[: max(1, (count - hostile) // 3)])
    made = _of_the_registry(registered)
    while len(made) < count - hostile:
        made += _family(len(made), count - hostile - len(made))
    return made + [_hostile(name) for name in HOSTILE[:hostile]]


def _of_the_registry(names: list[str]) -> list[Model]:
    entries = load_registry().models
    made: list[Model] = []
    for place, name in enumerate(names):
        entry = entries[name]
        known = entry.lineage.parent if entry.lineage else None
        parent = names.index(known) if known in names[:place] else None
        subject = Subject(
            id=name, source=entry.hub.id if entry.hub else name, revision=None, weights_digest=_digest(name),
            tokenizer_digest=_digest("tokenizer"), entry=entry.model_dump(mode="json"), kind="registry", parent=known,
        )  # fmt: skip
        ability = 0.9 - 0.05 * place if parent is None else made[parent].ability - 0.15
        made.append(Model(subject, ability, 8e9 if parent is None else 4e9, parent))
    return made


def _family(start: int, room: int) -> list[Model]:
    """A parent on the hub and the folders that were made of it, as many as there is room for."""
    number = start // (len(CHILDREN) + 1)
    name, size = f"invented/family-{number:02d}-{6 + number % 9}b", (6 + number % 9) * 1e9
    ability = 0.3 + 0.9 * ((number * 7) % 11) / 11
    family = [Model(_subject(name, "hub", name, None), ability, size, None)]
    for how, share, lost in CHILDREN[: room - 1]:
        child = f"family-{number:02d}-{how}"
        subject = _subject(child, "folder", f"/models/invented/{child}", name)
        family.append(Model(subject, ability - lost * (1 + number % 3 / 3), size * share, start))
    return family


def _hostile(name: str) -> Model:
    subject = _subject("hostile", "folder", f"/models/hostile/{_digest(name)[7:15]}", None)
    return Model(subject.model_copy(update={"name": name}), 0.2, 1e9, None, hostile=True)


def _subject(name: str, kind: str, source: str, parent: str | None) -> Subject:
    fields = {"id": name, "source": source, "revision": None, "entry": None, "kind": kind, "parent": parent}
    return Subject.model_validate(
        {**fields, "weights_digest": _digest(source), "tokenizer_digest": _digest("tokenizer")}
    )


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
