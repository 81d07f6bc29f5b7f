"""What a search is asked to do, as one frozen value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import OtherSearch
from zoo.files import json_object, write_atomically
from zoo.search.budget import Budget
from zoo.search.settings import DepthBy, Training
from zoo.search.space import LEAST_SHARE, Axis
from zoo.search.stopping import StopRule

WITHIN = 0.05
"""How far from the budget a candidate may be (arXiv 2407.14679 §2.3: ±5 %)."""
CANDIDATES = 12
"""Shapes that are cut and scored. (The paper enumerates fewer than 20.)"""
KEEP = 6
"""Of these, how many are trained."""
FILE = "request.json"
MAY_CHANGE = ("device", "micro")
"""What a search that goes on may be told anew: where it computes."""


@dataclass(frozen=True)
class SearchRequest:
    """Which parent, what a child may cost, how many shapes are tried and trained, on which text, and where it is written."""

    parent: str
    budget: Budget
    out: Path | None = None
    # the space
    within: float = WITHIN
    axes: tuple[Axis, ...] | None = None
    """Which may be cut; None: all, and without layers where a latency cannot tell what depth costs."""
    least_share: float = LEAST_SHARE
    candidates: int = CANDIDATES
    keep: int = KEEP
    # the text and the training; None where no candidate is to be cut
    data: tuple[str, ...] = ()
    text_column: str | None = None
    training: Training | None = None
    rungs: int = 5
    held_out: int = 400
    """Documents that rank, and as many that confirm."""
    calibration: int = 256
    """Rows that importance is measured on."""
    depth_by: DepthBy = "bi"
    tasks: tuple[str, ...] = ()
    """What chooses those that are trained; none: the loss on held-out text."""
    task_limit: int | None = None
    """Documents of each task; None: all."""
    rule: StopRule = field(default_factory=StopRule)
    seed: int = 0
    confirm: int = 3
    """Seeds of the confirmation; 0 leaves it out."""
    device: str = "auto"
    teacher_cache: Path | None = None
    sampled: int | None = None
    """Draws a token of a sampled teacher's cache; None: exact hidden states."""

    def identity(self, parent_digest: str | None, text: str) -> dict[str, Any]:
        """All that the outcome depends on, for JSON; `text` names the text that is read."""
        whole = asdict(self)
        for name in ("out", "teacher_cache", *MAY_CHANGE):
            whole.pop(name, None)
        training = {key: value for key, value in (whole.pop("training") or {}).items() if key not in MAY_CHANGE}
        flat = {**whole, **training, "parent_digest": parent_digest, "data": text}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in flat.items()}


def claim(out: Path, identity: dict[str, Any]) -> None:
    """Take the folder for this search, or go on with it. Raises OtherSearch, with what differs, where it holds another."""
    import json

    file = out / FILE
    kept = json_object(file)
    if not kept:
        others = [
            path.name for path in out.iterdir() if not path.name.startswith(".") and path.name != "candidates.csv"
        ]
        if others:
            raise OtherSearch(
                f"{out} holds {min(others)} and no search.", "Give a folder that is empty or not there yet."
            )
        write_atomically(file, (json.dumps(identity, indent=2) + "\n").encode())
        return
    differing = [key for key in {**kept, **identity} if kept.get(key) != identity.get(key)]
    if differing:
        told = "; ".join(f"{key} was {kept.get(key)}, now {identity.get(key)}" for key in sorted(differing))
        raise OtherSearch(
            f"{out} holds a search that was asked for something else ({told}).",
            "Ask for the same to go on with it, or give another --out.",
        )
