"""Ids of jobs: told from the plan alone, readable, and safe in a path, a shell and a scheduler, whatever a model is called."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

LONGEST = 100
DIGITS = 8
UNSAFE = re.compile(r"[^a-z0-9._]+")
DOTS = re.compile(r"\.{2,}")
PLAIN = re.compile(r"[A-Za-z0-9._/@-]*")
"""Words that a slug keeps apart, but for the case of letters and what joins them."""


def job_ids(named: Sequence[tuple[Sequence[str], str]]) -> list[str]:
    """An id for each (words of its name, all that sets it apart).

    Where two would be the same, or something of a name was lost, the id ends in a digest of what sets it apart.
    """
    slugs = ["-".join(filter(None, map(slug, words))) for words, _ in named]
    often = Counter(slugs)
    return [
        _with_digest(one, apart) if often[one] > 1 or _lost(words, one) else one
        for one, (words, apart) in zip(slugs, named, strict=True)
    ]


def slug(word: str) -> str:
    """The word in lower case, everything else than letters, digits, dots and underscores of ASCII as a hyphen."""
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().lower()
    return DOTS.sub(".", UNSAFE.sub("-", plain)).strip("-._")


def _lost(words: Sequence[str], whole: str) -> bool:
    return len(whole) > LONGEST or not whole or any(not PLAIN.fullmatch(word) or not slug(word) for word in words)


def _with_digest(whole: str, apart: str) -> str:
    digest = hashlib.sha256(apart.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return f"{whole[:LONGEST].rstrip('-._')}-{digest}".lstrip("-._")
