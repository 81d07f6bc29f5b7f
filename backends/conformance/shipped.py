"""The outcomes that come with minizoo: of its own backends in the versions that it is locked to."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from backends.conformance.outcome import Outcome
from zoo.errors import BrokenInstallation

FILE = Path(__file__).parent / "shipped.json"
"""Made by `python -m backends.conformance.ship`."""


@cache
def shipped() -> tuple[Outcome, ...]:
    """Every shipped outcome. Raises BrokenInstallation where the file that holds them cannot be read."""
    try:
        found = json.loads(FILE.read_text("utf-8"))
        return tuple(Outcome.from_dict(one) for one in found["outcomes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenInstallation(f"{FILE} cannot be read ({type(error).__name__}).", "Install minizoo again.") from None
