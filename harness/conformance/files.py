"""Outcomes of conformance on disk: `results/conformance/<key>.<depth>.json`, one a key and depth, replaced whole.

An outcome is the newest word on its key: unlike the record of a task it says nothing of numbers that are there already.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from backends.conformance.key import Key
from backends.conformance.outcome import Outcome
from zoo.files import write_atomically

SCHEMA = "minizoo.conformance/1"
FOLDER = "conformance"
DIGITS = 16
DEPTHS = ("full", "short")


class Kept(NamedTuple):
    """An outcome of a results folder, and when it was measured."""

    outcome: Outcome
    measured_at: datetime
    path: Path


def write_outcome(results: Path, outcome: Outcome, now: datetime | None = None) -> Path:
    """Write the outcome in place of the one before of its key and depth; a full one also takes the place of a short one.

    Durable when it returns. Raises OSError as the file system does.
    """
    path = _path(results, outcome.key, outcome.depth)
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "schema": SCHEMA,
        "digest": digest_of(outcome),
        "measured_at": (now or datetime.now(UTC)).isoformat(),
        "outcome": outcome.to_dict(),
    }
    write_atomically(path, json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")
    if outcome.depth == "full":
        _path(results, outcome.key, "short").unlink(missing_ok=True)
    return path


def kept_of(results: Path, key: Key) -> list[Kept]:
    """The outcomes of a key that a results folder has, the full one first. What cannot be read is passed over: it is measured
    again."""
    found = (_read(_path(results, key, depth)) for depth in DEPTHS)
    return [kept for kept in found if kept is not None and kept.outcome.key == key]


def all_kept(results: Path) -> list[Kept]:
    """Every outcome of a results folder that can be read, by backend, engine, device, dtype and architecture."""
    found = (_read(path) for path in sorted((results / FOLDER).glob("*.json")))
    return sorted(
        (kept for kept in found if kept is not None), key=lambda kept: tuple(asdict(kept.outcome.key).values())
    )


def digest_of(outcome: Outcome) -> str:
    """sha256 over the outcome's canonical JSON, in hex."""
    return hashlib.sha256(json.dumps(outcome.to_dict(), sort_keys=True, allow_nan=False).encode()).hexdigest()


def _path(results: Path, key: Key, depth: str) -> Path:
    """Words for people, and a digest of all of the key: names of backends and architectures are anybody's."""
    told = asdict(key)
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:DIGITS]
    words = "-".join(
        re.sub(r"[^A-Za-z0-9]+", "_", told[part])[:40] for part in ("backend", "device", "dtype", "architecture")
    )
    return results / FOLDER / f"{words}-{digest}.{depth}.json"


def _read(path: Path) -> Kept | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        document: Any = json.loads(path.read_text("utf-8"))
        if document["schema"] != SCHEMA:
            return None
        outcome = Outcome.from_dict(document["outcome"])
        if document["digest"] == digest_of(outcome):
            return Kept(outcome, datetime.fromisoformat(document["measured_at"]), path)
    return None
