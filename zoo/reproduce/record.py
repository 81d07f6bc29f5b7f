"""What an arm left: a small JSON file, written whole or not at all, by which a killed seed is gone on with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.files import json_object, write_atomically

SCHEMA = "minizoo.arm/1"
STOPPED = 130
"""Exit code of a seed's process that was asked to stop."""


@dataclass(frozen=True)
class Losses:
    """Held-out documents: of each how many tokens count, and Σ −log p over them in nats."""

    tokens: tuple[int, ...]
    nll: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Nats a token over all documents."""
        return sum(self.nll) / sum(self.tokens)


@dataclass(frozen=True)
class ArmResult:
    """One model of one seed. `losses` by text, `own` or `shifted`; none where its training diverged, which `diverged` tells."""

    arm: str
    seed: int
    losses: dict[str, Losses]
    parameters: int
    tokens: int
    """That it was trained on, in this arm."""
    cpu_seconds: float
    wall_seconds: float
    diverged: str | None = None


def write_result(folder: Path, result: ArmResult, scale: str) -> None:
    """Write the result, durably; `scale` is the digest of the experiment. The folder is there already."""
    told = {"schema": SCHEMA, "scale": scale, **asdict(result)}
    write_atomically(path_of(folder, result.arm), (json.dumps(told) + "\n").encode())


def read_result(folder: Path, arm: str, scale: str) -> ArmResult | None:
    """The result of that arm; None where there is none, where it cannot be read, or where it is of another experiment."""
    told = json_object(path_of(folder, arm))
    if told.pop("schema", None) != SCHEMA or told.pop("scale", None) != scale:
        return None
    try:
        losses = {text: _losses(found) for text, found in told.pop("losses").items()}
        return ArmResult(losses=losses, **told)
    except (TypeError, ValueError, KeyError, AttributeError):
        return None


def path_of(folder: Path, arm: str) -> Path:
    """The file of an arm."""
    return folder / f"{arm.replace(' ', '_')}.json"


def _losses(found: dict[str, Any]) -> Losses:
    tokens, nll = tuple(map(int, found["tokens"])), tuple(map(float, found["nll"]))
    if len(tokens) != len(nll) or not tokens:
        raise ValueError("losses of other documents than tokens")
    return Losses(tokens, nll)
