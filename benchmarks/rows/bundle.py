"""The bundle of a results folder, and what it says of itself."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows.drive import counted_runs
from benchmarks.rows.outcome import is_valid, records_of
from benchmarks.rows.plan import SCORING
from benchmarks.rows.state import State
from harness.bundles.pack import pack
from harness.bundles.rows import is_row

PATHS = ("--results", "--data", "--tokenizer")
"""Options whose values are nobody else's business."""


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written, and its rows by how they ended."""

    path: Path
    rows: dict[str, int]

    def __str__(self) -> str:
        total = sum(self.rows.values())
        parts = ", ".join(f"{count} {how}" for how, count in self.rows.items() if count)
        return f"{self.path}: {total} row{'' if total == 1 else 's'} ({parts})"


def runs_of(state: State) -> list[str]:
    """The runs that count, a step's once (`counted_runs`)."""
    return [
        run for key, attempts in state.attempts.items() for run in counted_runs(key.startswith(f"{SCORING}."), attempts)
    ]


def write(results: Path, state: State, by: str | None) -> Bundled | None:
    """Write the bundle beside the records, in place of the one that the last call wrote; None where there is no row yet.

    Raises what `pack` raises.
    """
    runs = runs_of(state)
    records = [record for record in records_of(results, runs) if is_row(record)]
    if not records:
        return None
    path = pack(results, runs, results, by, state.command, state.notes)
    if state.bundle and state.bundle != path.name:
        with contextlib.suppress(OSError):
            (results / state.bundle).unlink()
    how = Counter("failed" if r.status != "ok" else "valid" if is_valid(r) else "invalid" for r in records)
    return Bundled(path, {name: how[name] for name in ("valid", "invalid", "failed")})


def command(argv: Sequence[str]) -> str:
    """The command line without the paths of this machine."""
    return shlex.join(["python", "benchmarks/gpu_rows.py", *_without_paths(argv)])


def _without_paths(argv: Sequence[str]) -> Iterable[str]:
    before = ""
    for word in argv:
        option, _, value = word.partition("=")
        if before in PATHS:
            yield "DIR"
        elif value and option in PATHS:
            yield f"{option}=DIR"
        else:
            yield word if before == "--by" else ",".join(part.rsplit("/", 1)[-1] for part in word.split(","))
        before = word
