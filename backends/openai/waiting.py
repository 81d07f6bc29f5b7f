"""How long to wait before a request is sent again: twice as long each time, drawn, and as the server asks."""

from __future__ import annotations

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

LONGEST_ASKED = 300.0
"""Seconds of a `Retry-After` that are waited at most."""


@dataclass(frozen=True)
class Waiting:
    """Tries of one request, and the seconds between them."""

    tries: int = 8
    """With the pauses below about a minute and a half: a server that starts anew takes as long."""
    first: float = 0.5
    longest: float = 30.0

    def seconds(self, tries: int, wanted: float | None) -> float:
        """Seconds after that many tries: half of the doubled pause and a drawn part of the other half, so that many
        threads do not come back at once; not less than the server wants."""
        pause = min(self.longest, self.first * 2 ** (tries - 1))
        return max(pause * (1 + random.random()) / 2, wanted or 0.0)

    def wanted(self, header: str | None, now: float) -> float | None:
        """Seconds that a `Retry-After` asks for, in either of its forms; None where it asks for none that can be read."""
        if header is None:
            return None
        try:
            seconds = float(header) if header.strip().isdigit() else parsedate_to_datetime(header).timestamp() - now
        except (ValueError, OverflowError):
            return None
        return min(max(seconds, 0.0), LONGEST_ASKED)
