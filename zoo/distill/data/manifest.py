"""manifest.json of a folder of rows: what they were made of, how far they got, and the digest of each file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from zoo.distill.data.identity import Identity
from zoo.distill.data.packing import digest_of_shards
from zoo.errors import OtherData
from zoo.files import write_atomically
from zoo.strict import Strict

NAME = "manifest.json"
ANEW = "Give another folder, or remove this one to make the rows anew."


class Shard(Strict):
    """A file of rows [rows, length], uint32, little-endian; sha256 of its bytes."""

    file: str
    rows: int
    sha256: str


class SourceRows(Strict):
    """What became of a source: how many documents were read, and what of them is in which files."""

    name: str
    identity: Identity
    column: str | None = None
    left_out: str | None = Field(
        default=None, description="Digest of the numbers of the documents that were to be left out."
    )
    documents: int = 0
    tokens_of_next: int = Field(default=0, description="Tokens that are in rows of the document behind these.")
    empty: int = Field(default=0, description="Documents without text.")
    dropped: int = 0
    broken: int = 0
    broken_first: tuple[str, ...] = Field(default=(), description="What was wrong with the first of them.")
    tokens: int = Field(default=0, description="Tokens that are learnt.")
    shards: tuple[Shard, ...] = ()
    finished: bool = False

    @property
    def rows(self) -> int:
        """Rows in the files."""
        return sum(shard.rows for shard in self.shards)


class Manifest(Strict):
    """Rows of `length` tokens, source by source; the same request goes on with what is unfinished."""

    schema_: Literal["minizoo.rows/1"] = Field("minizoo.rows/1", alias="schema")
    length: int
    tokenizer: str
    bos: int | None
    eos: int | None
    skip_broken: bool = False
    most: int | None = None
    shard_bytes: int
    sources: tuple[SourceRows, ...]

    @property
    def finished(self) -> bool:
        """Whether every source was read to its end, or as far as was asked."""
        return all(source.finished for source in self.sources)

    @property
    def rows(self) -> int:
        """Rows in all."""
        return sum(source.rows for source in self.sources)

    @property
    def tokens(self) -> int:
        """Tokens that are learnt in one epoch."""
        return sum(source.tokens for source in self.sources)

    @property
    def digest(self) -> str:
        """Of the rows, as `TokenRows.digest`."""
        return digest_of_shards(shard.sha256 for source in self.sources for shard in source.shards)

    @property
    def made_of(self) -> dict[str, object]:
        """What another request must have in common with this one for its rows to be these."""
        whole = self.model_dump(include={"length", "tokenizer", "bos", "eos", "skip_broken", "most", "shard_bytes"})
        sources = [(each.identity.digest, each.column, each.left_out) for each in self.sources]
        return {**whole, "sources": sources}


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none. Raises OtherData for one that is broken."""
    try:
        return Manifest.model_validate_json((folder / NAME).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise OtherData(f"{folder / NAME} is no manifest of rows ({where}: {first['msg']}).", ANEW) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json, atomically: all that it names is on the disk by then."""
    write_atomically(folder / NAME, (manifest.model_dump_json(by_alias=True, indent=1) + "\n").encode())
