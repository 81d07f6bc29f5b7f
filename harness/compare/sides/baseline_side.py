"""A side from an accepted baseline, or from the records of reference that come with the checkout."""

from __future__ import annotations

from pathlib import Path

from harness.baselines.file import Baseline, load_baselines
from harness.baselines.read import read_outcomes
from harness.compare.items import ScoreKey, Side, SideKind, TaskResult
from harness.compare.sides.samples import columns_of, with_items
from harness.records.record import Record
from zoo.errors import UnknownName
from zoo.names import unknown
from zoo.registry.loader import load_registry

PREFIX = "baseline:"
"""Before a word, it means a baseline and nothing else."""
FILE = "baselines.yaml"


def baseline_names(file: Path) -> list[str]:
    """The names in a file of baselines; none where there is no file. InvalidBaselines for one that is none."""
    return list(load_baselines(file)) if file.exists() else []


def baseline_side(word: str, name: str, file: Path) -> Side:
    """All results of a baseline. UnknownName for one that the file does not have, and what reading it raises."""
    known = load_baselines(file)
    if name not in known:
        raise unknown(UnknownName, "baseline", name, known, f"{file} has them.")
    found = known[name]
    where = f"baseline {name} of {found.accepted_at:%Y-%m-%d}, accepted by {found.accepted_by}"
    return _side(word, "baseline", found, file.parent, where)


def reference_side(word: str, folder: Path | None) -> Side | None:
    """The results of a model that come with the checkout; None where there are none of it."""
    if folder is None or not (folder / FILE).is_file():
        return None
    model = load_registry().find(word)
    wanted = {word.lower(), *(name.lower() for name in model.names)} if model else {word.lower()}
    known = load_baselines(folder / FILE)
    found = next((one for one in known.values() if {one.name.lower(), one.model.lower()} & wanted), None)
    if found is None:
        return None
    return _side(word, "reference", found, folder, "the record of reference that comes with minizoo")


def _side(word: str, kind: SideKind, baseline: Baseline, folder: Path, where: str) -> Side:
    results: dict[ScoreKey, TaskResult] = {}
    failed: dict[str, Record] = {}
    speed: list[Record] = []
    for outcome in sorted(read_outcomes(baseline, folder), key=lambda outcome: outcome.record.finished_at):
        record = outcome.record
        if record.speed is not None:
            speed.append(record)
        elif record.status != "ok":
            failed[record.task] = record
        elif record.beside is None:
            columns = None if outcome.documents is None else columns_of(outcome.documents)
            results |= with_items(record, columns)
    return Side(
        word=word,
        kind=kind,
        name=baseline.model,
        results=results,
        failed=failed,
        speed=tuple(speed),
        run_ids=(baseline.run,),
        where=f"{where}, run {baseline.run}",
    )
