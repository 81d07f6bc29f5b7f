"""What each step was, as a line of JSON; lines of steps that a killed run took after its last checkpoint go again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.files import write_atomically


@dataclass(frozen=True)
class Work:
    """What a token costs at least, and what the devices can do; each None where nobody knows."""

    flops_per_token: float | None = None
    """Of a token of the rows, padding and all: the student's three passes and the teacher's one."""
    peak_flops: float | None = None
    """FLOP/s of all devices together, in the dtype that is computed in."""

    def mfu(self, tokens_per_s: float) -> float | None:
        """The share of the devices' peak that these tokens a second need (Chowdhery et al. 2022, arXiv 2204.02311, app. B).

        What activation checkpoints compute twice does not count.
        """
        if self.flops_per_token is None or not self.peak_flops:
            return None
        return tokens_per_s * self.flops_per_token / self.peak_flops


@dataclass(frozen=True)
class StepMetrics:
    """One line of metrics.jsonl. Losses are nats a counted token over all ranks."""

    step: int
    """Steps taken, this one included."""
    loss: float
    divergence: float
    cross_entropy: float
    states: float
    rate: float
    grad_norm: float
    tokens: int
    """Counted tokens of the run so far."""
    seconds: float
    """Of this step."""
    elapsed: float
    """Of all steps so far, those before a resumption included."""
    tokens_per_s: float
    """Tokens of the rows, counted or not, over all ranks."""
    mfu: float | None
    batch: str
    """sha256 over the digests of the first rank's micro-batches, its first 16 digits."""

    def line(self) -> str:
        """The metrics as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"


def append(path: Path, metrics: StepMetrics) -> None:
    """Add a step's line. Not fsynced: after a power cut the last lines may be missing, and no checkpoint with them."""
    with path.open("a", encoding="utf-8") as file:
        file.write(metrics.line())


def read(path: Path) -> list[dict[str, Any]]:
    """The steps of a metrics.jsonl in order; a line that a kill cut short is left out."""
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = []
    for line in path.read_text("utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def cut_after(path: Path, step: int) -> None:
    """Drop the lines of later steps, which are taken again."""
    lines = [json.dumps(each) + "\n" for each in read(path) if each["step"] <= step]
    if path.is_file():
        write_atomically(path, "".join(lines).encode())
