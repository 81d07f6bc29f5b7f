"""manifest.json of a teacher's cache: of which teacher, data and tokenizer it is, and what is kept of a position."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from zoo.arch.parameters import BITS, Dtype
from zoo.errors import (
    CacheBroken,
    CacheOfOtherData,
    CacheOfOtherForm,
    CacheOfOtherTeacher,
    CacheOfOtherTokenizer,
    InputError,
)
from zoo.files import write_atomically
from zoo.strict import Count, Frozen

NAME = "manifest.json"
SCHEMA = "minizoo.teacher-cache/1"
Draw = Literal["threshold", "independent"]


class Exact(Frozen):
    """Hidden states before the head, in the dtype that the teacher computes in; with them states of `layers`."""

    kind: Literal["exact"] = "exact"
    dtype: Dtype
    layers: tuple[int, ...] = ()

    def bytes_a_position(self, hidden: int) -> int:
        """Bytes of one position of a teacher of this width."""
        return hidden * BITS[self.dtype] // 8 * (1 + len(self.layers))


class Sampled(Frozen):
    """`k` token ids and weights, whose expectation is the teacher's distribution at `temperature`, and its exact entropy."""

    kind: Literal["sampled"] = "sampled"
    k: Count
    draw: Draw = "threshold"
    temperature: Annotated[float, Field(gt=0)] = 1.0
    seed: int = 0
    entropy: Literal["kept"] = "kept"
    """Without it a loss would mean another thing than that of a teacher in memory; `read_manifest` refuses older caches."""

    def bytes_a_position(self, hidden: int) -> int:
        """Bytes of one position, whatever the teacher's width: 32 bits a token id with its weight, and 32 of the entropy."""
        del hidden
        return 4 * self.k + 4


Form = Annotated[Exact | Sampled, Field(discriminator="kind")]


class Made(Frozen):
    """What the folder held when a run that made it ended last."""

    rows: int
    positions: int
    """Counted ones: those whose next token has weight."""
    bytes: int
    files: int


class Manifest(Frozen):
    """What makes two caches one: all but `teacher_name`, `data_name` and `made`."""

    format: Literal["minizoo.teacher-cache/1"] = SCHEMA
    teacher: str
    """Digest of its weights."""
    data: str
    """Digest of the rows."""
    tokenizer: str
    """Digest of the tokenizer's files, or what stands for it."""
    vocabulary: Count
    hidden: Count
    """Width of the teacher."""
    length: Count
    """Tokens a row."""
    form: Form
    scale: float = 1.0
    softcap: float | None = None
    """What the teacher's head does with a logit, beside its weights (head.safetensors)."""
    teacher_name: str = ""
    data_name: str = ""
    made: Made | None = None

    @property
    def bytes_a_position(self) -> int:
        """Bytes that a counted position takes."""
        return self.form.bytes_a_position(self.hidden)


def identity_of(manifest: Manifest) -> str:
    """sha256 of all that makes the cache what it is; every file of it has it."""
    told = manifest.model_dump_json(exclude={"teacher_name", "data_name", "made"})
    return hashlib.sha256(told.encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a cache. Raises CacheBroken where there is none, or one that cannot be read.

    Raises CacheOfOtherForm for samples without the teacher's entropy, from which no divergence can be told.
    """
    path = folder / NAME
    try:
        text = path.read_bytes()
        found = Manifest.model_validate_json(text)
    except FileNotFoundError:
        raise CacheBroken(
            f"{folder} holds no teacher's cache (there is no {NAME}).",
            "`minizoo distill --teacher-cache DIR` makes one.",
        ) from None
    except NotADirectoryError:
        raise CacheBroken(f"{folder} is no folder.", "Give the folder of a teacher's cache.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it is no JSON object"
        raise CacheBroken(
            f"{path} is no manifest of a teacher's cache ({where}: {first['msg']}).", "Make the cache again."
        ) from None
    if isinstance(found.form, Sampled) and "entropy" not in json.loads(text)["form"]:
        raise CacheOfOtherForm(
            f"The samples in {folder} are of an older minizoo, which kept no entropy of the teacher: their loss would be a "
            "cross-entropy and not a divergence.",
            "Give another --teacher-cache, or remove this one: the same command makes it again.",
        )
    return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it atomically."""
    write_atomically(folder / NAME, manifest.model_dump_json(indent=2).encode() + b"\n")


def check_same(folder: Path, found: Manifest, wanted: Manifest) -> None:
    """Raise CacheOfOtherTeacher, …Tokenizer, …Data or …Form, the first that applies, where a cache is not the one wanted."""
    for fields, what, cause, hint in _CAUSES:
        theirs, ours = found.model_dump(include=fields), wanted.model_dump(include=fields)
        if theirs != ours:
            told = _told(theirs, ours)
            raise cause(f"The teacher's cache in {folder} is of {what}: {told}.", hint)


_CAUSES: list[tuple[set[str], str, type[InputError], str]] = [
    (
        {"teacher", "hidden", "scale", "softcap"},
        "another teacher",
        CacheOfOtherTeacher,
        "Give the teacher that made it, or another --teacher-cache.",
    ),
    (
        {"tokenizer", "vocabulary"},
        "another tokenizer",
        CacheOfOtherTokenizer,
        "Encode the data with the tokenizer that the cache was made with, or give another --teacher-cache.",
    ),
    (
        {"data", "length"},
        "other data",
        CacheOfOtherData,
        "Give the data that it was made for, in rows of that length, or another --teacher-cache.",
    ),
    (
        {"form"},
        "another form",
        CacheOfOtherForm,
        "Ask for the form that it has, or give another --teacher-cache.",
    ),
]


def _told(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """`teacher 1f3a… there, 77b0… here` for each that differs; digests by their beginnings."""
    if "form" in theirs:
        theirs, ours = theirs["form"], ours["form"]
        if theirs["kind"] != ours["kind"]:
            return f"{theirs['kind']} there, {ours['kind']} here"
    names = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    return "; ".join(f"{name} {_short(theirs.get(name))} there, {_short(ours.get(name))} here" for name in names)


def _short(value: Any) -> str:
    return f"{value[:12]}…" if isinstance(value, str) and len(value) > 16 else str(value)
