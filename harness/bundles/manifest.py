"""A bundle's manifest, `bundle.json`: who packed what, with which minizoo, and the digest of every other file.

`digest` is over the rest of the manifest, so that nothing in a bundle can be changed by accident or by hand without a word.
It is no signature: who recomputes every digest has a bundle that is whole, and only what its figures say of one another and
of the hardware (`harness.bundles.plausible`) can tell then.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from harness.bundles.strict_json import json_object
from harness.records.versions import is_newer
from zoo.errors import BundleAltered, InvalidBundle, one_line
from zoo.strict import Frozen

BUNDLE_SCHEMA = "minizoo.bundle/1"
MANIFEST = "bundle.json"
LONGEST_NAME = 80
AGAIN = "Nothing of it was taken: fetch it again from where it was published, or let it be packed again."


def _shown(name: str) -> str:
    """A contributor's name is text to be shown, on a terminal and on a page, and nothing else."""
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name):
        raise ValueError("it has control characters, which nothing shows as text")
    if name != name.strip():
        raise ValueError("it begins or ends with a space")
    return name


ContributorName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_shown)]


class BundleFile(Frozen):
    """A file of the bundle beside the manifest."""

    path: str
    """`<run id>/<folder of the task>/record.json`, or a table beside it."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


class Manifest(Frozen):
    """What a bundle says of itself."""

    schema_version: str = BUNDLE_SCHEMA
    made_at: AwareDatetime
    by: ContributorName | None
    """The name that the contributor chose to be shown by, which nobody has checked."""
    minizoo: str
    """The version that packed it."""
    git_sha: str | None
    command: str
    """What measured the rows."""
    notes: tuple[str, ...]
    """What was not measured, and why, in sentences."""
    files: tuple[BundleFile, ...]
    digest: str
    """sha256 over the canonical JSON of all other fields."""

    def content(self) -> bytes:
        """The manifest as it stands in the bundle."""
        return rendered(self.model_dump(mode="json"))


def sealed(**fields: Any) -> Manifest:
    """The manifest of these fields, with its digest. ValidationError for a field that is none."""
    unsealed = Manifest(**fields, digest="")
    return unsealed.model_copy(update={"digest": digest_of(unsealed.model_dump(mode="json"))})


def read_manifest(content: bytes, where: str) -> Manifest:
    """The manifest in these bytes; `where` begins a message.

    InvalidBundle for what is none, or a newer minizoo's; BundleAltered where it is not as it was sealed.
    """
    try:
        document = json_object(content)
        _check_schema(document.get("schema_version"), where)
        if digest_of(document) != document.get("digest") or rendered(document) != content:
            raise BundleAltered(f"{where}: {MANIFEST} was changed since it was packed: it has not its digest.", AGAIN)
        return Manifest.model_validate(document)
    except ValueError as error:
        raise InvalidBundle(f"{where}: {MANIFEST} is no manifest of a bundle ({in_words(error)}).", AGAIN) from None


def digest_of(document: Mapping[str, Any]) -> str:
    """The digest of a manifest: sha256 over the canonical JSON of all but that field."""
    rest = {name: value for name, value in document.items() if name != "digest"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def rendered(document: Mapping[str, Any]) -> bytes:
    """A manifest as it stands in its zip."""
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def listed(files: Mapping[str, bytes]) -> tuple[BundleFile, ...]:
    """Those files as a manifest lists them, in their order."""
    return tuple(
        BundleFile(path=name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        for name, content in files.items()
    )


def in_words(error: ValueError) -> str:
    """An error of reading in a few words; of pydantic's the first, with the field that it is about."""
    if not isinstance(error, ValidationError):
        return one_line(error)[:200]
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(map(str, first["loc"]))
    return " ".join(f"{field}: {first['msg']}".split())[:200]


def _check_schema(schema: Any, where: str) -> None:
    if is_newer(schema, BUNDLE_SCHEMA):
        raise InvalidBundle(
            f"{where} was packed by a newer minizoo: it is a {schema}, and this one reads up to {BUNDLE_SCHEMA}.",
            "Use a minizoo as new as the one that packed it.",
        )
