"""Names that a user may have mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from zoo.errors import InputError


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing is near enough to be worth suggesting."""
    by_lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def unknown(error: type[InputError], kind: str, name: str, known: Iterable[str], listing: str) -> InputError:
    """The `error` for a name that is not known: suggests the closest one and says where all of them are listed."""
    near = closest(name, known)
    hint = f"Did you mean '{near}'? " if near else ""
    return error(f"There is no {kind} named '{name}'.", f"{hint}{listing}")
