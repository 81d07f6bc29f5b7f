"""Names of files and folders of an export, and of models as other tools read them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from harness.records.record import Record

UNSAFE = re.compile(r"[\"<>:/|\\?*\[\]\x00-\x1f\x7f]+")
"""What lm-eval takes out of a model's name, and what no file name should have."""
LONGEST = 120


def folders_of(models: Iterable[str]) -> dict[str, str]:
    """Model → its folder; models whose folders would be one have a digest at the end of theirs."""
    names = {model: folder_of(model) for model in models}
    counts = Counter(name.casefold() for name in names.values())
    return {
        model: name if counts[name.casefold()] == 1 else f"{name}-{_digest(model)}" for model, name in names.items()
    }


def folder_of(model: str) -> str:
    """The folder of a model, as lm-eval makes it of a name: what is unsafe becomes `__`. Never hidden, upward or too long."""
    plain = UNSAFE.sub("__", model.removeprefix("./")).encode("utf-8", "replace").decode()
    if len(plain.encode()) <= LONGEST and plain.strip(". "):
        return plain if not plain.startswith(".") else f"_{plain}"
    return f"{plain.encode()[:LONGEST].decode('utf-8', 'ignore').strip('. ') or 'model'}-{_digest(model)}"


def model_name(record: Record) -> str:
    """What a file calls the model: its hub id, for weights that minizoo ships their id, for a folder its name after `./`."""
    subject = record.subject
    if subject.kind == "folder" or (subject.kind is None and subject.source.startswith("/")):
        return f"./{subject.name or subject.id}"
    return subject.source if "/" in subject.source else subject.id


def _digest(model: str) -> str:
    return hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:8]
