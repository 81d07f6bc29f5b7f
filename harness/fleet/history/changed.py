"""What was another between two nights: versions, driver, weights, commit."""

from __future__ import annotations

from collections.abc import Mapping

SHOWN = 12
"""Digits of a digest or commit."""
DIGESTS = ("weights", "commit")
FIRST = ("driver", "weights", "commit", "minizoo", "torch")
"""Told before the rest."""


def changed_between(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Name → `old → new` of what the two do not have alike, what is told first at the front. What one lacks is `none`."""
    names = sorted(
        {*before, *after}, key=lambda name: (name not in FIRST, FIRST.index(name) if name in FIRST else 0, name)
    )
    return {
        name: f"{_short(name, before.get(name))} → {_short(name, after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    }


def in_words(changed: Mapping[str, str]) -> str:
    """`driver 580.1 → 590.2, torch …`; that nothing recorded did, where it is so."""
    return ", ".join(f"{name} {text}" for name, text in changed.items()) or "nothing that the records name"


def _short(name: str, text: str | None) -> str:
    if text is None:
        return "none"
    return text[:SHOWN] if name in DIGESTS else text
