"""Checkpoints of a training run: found by a pattern, in the order of their axis; those that are not whole yet are left."""

from __future__ import annotations

import glob
import hashlib
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.schema import Axis
from harness.records.night import Finding
from zoo.checkpoint.locate import Outline, locate, outline
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.checkpoint.plan_folder import virtual_parent
from zoo.errors import MinizooError
from zoo.files import cache_folder, json_object, write_cache

WORDS: dict[Axis, str] = {
    "steps": r"(?:steps?|checkpoint|ckpt|iter(?:ation)?s?|batch|ba)",
    "tokens": r"(?:tokens?|tok)",
}
"""What stands beside the number in a folder's name."""
TIMES = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
NUMBER = r"(\d+(?:\.\d+)?)([kmbgt]?)"
LAST = re.compile(NUMBER + r"(?![a-z0-9])", re.IGNORECASE)
STATED = {"steps": ("training/state.json", "step"), "tokens": ("training/state.json", "tokens")}
"""Where a checkpoint of `minizoo distill` says it itself."""


@dataclass(frozen=True)
class Found:
    """A checkpoint that is whole."""

    folder: Path
    label: str
    """What its run is called."""
    at: int
    outline: Outline


def find_checkpoints(file: PlanFile, at: int, axis: Axis, parent: str | None) -> tuple[list[Found], list[Finding]]:
    """Those that the entry's pattern finds, by run and place on the axis; and of each that is left out why.

    A folder that is being written, or that is no checkpoint, never fails the plan.
    """
    pattern, named = file.plan.models[at].checkpoints, file.plan.models[at].label
    assert pattern is not None
    found: list[Found] = []
    told: list[Finding] = []
    # below the plan's folder, whose own name may hold what a pattern means otherwise
    given = str(file.inside(pattern)) if pattern.startswith("~") else pattern
    paths = sorted(glob.glob(given, root_dir=file.folder, recursive=True))  # noqa: PTH207
    for folder in (path for path in map(file.inside, paths) if path.is_dir()):
        try:
            place = place_on(folder, axis)
            if place is None:
                told.append(_left(folder, f"neither its name nor a file in it has a number of {axis}"))
            else:
                label = named or run_of(folder)
                ref = resolve(str(folder), checkpoint_name(label, place), parent)
                found.append(Found(folder, label, place, outline(ref)))
        except MinizooError as error:
            told.append(_left(folder, f"{error.what} It is looked at again the next night"))
        except OSError as error:  # taken away, or renamed, while it was looked at
            told.append(_left(folder, f"it cannot be read ({error.strerror or error}). It is looked at again"))
    if not paths:
        told.append(Finding(kind="told", about=pattern, text=f"No folder is found by the pattern {pattern}."))
    found.sort(key=lambda one: (one.label, one.at, str(one.folder)))
    for one, other in pairwise(found):
        if (one.label, one.at) == (other.label, other.at):
            name = checkpoint_name(one.label, one.at)
            text = f"{one.folder} and {other.folder} both stand at {name}: their weights' digests tell them apart."
            told.append(Finding(kind="told", about=name, text=text))
    return found, told


def run_of(folder: Path) -> str:
    """What the run of a checkpoint is called where nobody says: the folder that it lies in, of `minizoo distill` the run's."""
    return next((one.name for one in folder.parents if one.name not in ("checkpoints", "")), folder.name)


def checkpoint_name(label: str, at: int) -> str:
    """What results call a checkpoint."""
    return f"{label}@{at}"


def place_on(folder: Path, axis: Axis) -> int | None:
    """Where a checkpoint stands: by its own file, else by the number beside the axis' word in its name, else by the last one.

    >>> place_on(Path("stage1-step140000-tokens294B"), "tokens")
    294000000000
    """
    file, key = STATED[axis]
    stated = json_object(folder / file).get(key)
    if isinstance(stated, int) and not isinstance(stated, bool) and stated >= 0:
        return stated
    name = folder.name
    beside = re.search(rf"{WORDS[axis]}[-_=.]*{NUMBER}(?![a-z0-9])", name, re.IGNORECASE) or re.search(
        rf"(?<![a-z0-9.]){NUMBER}[-_]?{WORDS[axis]}(?![a-z])", name, re.IGNORECASE
    )
    if beside is None and axis == "tokens" and re.search(WORDS["steps"], name, re.IGNORECASE):
        return None  # the only number is of steps
    last = beside or next(reversed(list(LAST.finditer(name))), None)
    return None if last is None else round(float(last[1]) * TIMES[last[2].lower()])


def weights_digest(ref: ModelRef) -> str | None:
    """As records have it; None where the weights are not on this machine. Reads every byte once: a cache keeps it by the files'
    sizes and times."""
    if ref.folder is None:
        return None
    try:
        checkpoint = locate(ref)
    except MinizooError:
        return None
    stamp = [_facts(folder) for folder in (checkpoint.folder, virtual_parent(checkpoint.folder)) if folder]
    cache = (
        cache_folder() / f"weights-{hashlib.sha256(str(checkpoint.folder.resolve()).encode()).hexdigest()[:16]}.json"
    )
    kept: Any = json_object(cache)
    if kept.get("stamp") == stamp and isinstance(kept.get("digest"), str):
        return kept["digest"]
    digest = checkpoint.weights_digest()
    write_cache(cache, json.dumps({"stamp": stamp, "digest": digest}))
    return digest


def _facts(folder: Path) -> list[list[Any]]:
    found = [(path.name, path.stat()) for path in folder.iterdir() if path.is_file()]
    return sorted([name, facts.st_size, facts.st_mtime_ns] for name, facts in found)


def _left(folder: Path, why: str) -> Finding:
    return Finding(kind="told", about=str(folder), text=f"{folder} is left out tonight: {why.rstrip('.')}.")
