"""Which words are ids of the hub's models: `owner/name`, or its address pasted whole."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from zoo.errors import UnknownModel

PART = r"(?![-.])(?!\S*(?:--|\.\.))[A-Za-z0-9_.-]{1,96}(?<![-.])"
HUB_ID = re.compile(f"{PART}/{PART}")
"""As the hub's own client takes them: no other letters, no `--`, no `..`, no `-` or `.` at either end."""
HOSTS = {"huggingface.co", "www.huggingface.co", "hf.co"}
OTHERS = {"datasets": "a data set", "spaces": "a space", "collections": "a collection", "papers": "a paper"}
"""First words of addresses that are no model's."""
AT_REVISION = ("tree", "blob", "resolve", "raw", "commit")
SHOWN = 80


def shown(word: str) -> str:
    """A word as a message quotes it: its odd characters escaped, and not all of a long one."""
    return repr(word if len(word) <= SHOWN else f"{word[:SHOWN]}…")


def read_address(word: str) -> str | None:
    """The id of a model whose address on the hub `word` is; None for what is no address.

    Raises UnknownModel for an address of something else, and for one of a revision, which an id has no place for.
    """
    address = word if "://" in word else f"https://{word}"
    try:
        parts = urlsplit(address)
        host, path = parts.hostname, [unquote(part) for part in parts.path.split("/") if part]
    except ValueError:
        return None
    if parts.scheme == "hf":
        path = [parts.netloc, *path]
    elif host not in _hosts() or parts.scheme not in ("http", "https"):
        return None
    if path and path[0] in OTHERS:
        raise UnknownModel(
            f"{shown(word)} is the address of {OTHERS[path[0]]}, not of a model.", "Give a model's id: owner/name."
        )
    path = path[1:] if path[:1] == ["models"] else path
    found = "/".join(path[:2]).removesuffix(".git")
    if not HUB_ID.fullmatch(found):
        raise UnknownModel(f"{shown(word)} is an address of the hub, and no model's.", "Give a model's id: owner/name.")
    if len(path) > 3 and path[2] in AT_REVISION and path[3] != "main":
        raise UnknownModel(
            f"{shown(word)} is the address of one revision, {shown(path[3])}; a model is taken at its newest commit, or at "
            "the one that the registry names.",
            f"Give `{found}`, or a folder with that revision.",
        )
    return found


def check_id(word: str) -> str:
    """The id itself, without a slash at its end. Raises UnknownModel for what cannot be one, and says which characters can."""
    found = word.rstrip("/")
    if HUB_ID.fullmatch(found):
        return found
    raise UnknownModel(
        f"{shown(word)} is neither a folder here nor a model's id on the hub.",
        "An id is owner/name, in letters without accents, digits and single - _ . between them; `minizoo models` lists "
        "the models that have a name.",
    )


def _hosts() -> set[str]:
    from huggingface_hub import constants

    return {*HOSTS, urlsplit(constants.ENDPOINT).hostname or ""}
