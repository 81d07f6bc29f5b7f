"""A side from lm-eval's own output: the folder of its `--output_path`, or a results file; read, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.compare.items import ScoreKey, Side, TaskResult
from harness.compare.sides.samples import columns_of_rows, with_items
from harness.imports.drafts import Given
from harness.imports.importing import read_files
from harness.imports.run_files import RESULTS, SAMPLES, run_files
from harness.records.record import Record
from zoo.errors import FileMissing, InvalidImport


def holds_lm_eval(path: Path) -> bool:
    """Whether it is a file as lm-eval writes them, or a folder with results of it."""
    if path.is_file():
        return path.suffix in (".json", ".jsonl")
    if not path.is_dir():
        return False
    try:
        return bool(run_files([path]))
    except FileMissing:
        return False


def lm_eval_side(word: str, path: Path, given: Given | None = None) -> Side:
    """The newest result of each task in the files. Raises what importing them would; InvalidImport for several models."""
    read = read_files(_with_samples(path), given)
    if stray := next((record for record, _ in read if record.speed is not None), None):
        raise InvalidImport(
            f"{path} holds speeds ({stray.suite}), which are not compared from files.",
            "`minizoo import` takes them in; a folder of lm-eval's output can be compared.",
        )
    models = sorted({record.subject.id for record, _ in read})
    if len(models) > 1:
        raise InvalidImport(
            f"{path} holds results of {len(models)} models: {', '.join(models)[:300]}.",
            "Name the folder of one of them.",
        )
    read.sort(key=lambda pair: pair[0].finished_at)
    newest = {record.task: (record, samples) for record, samples in read}
    found: dict[ScoreKey, TaskResult] = {}
    for record, samples in newest.values():
        found |= with_items(record, columns_of_rows(samples))
    return Side(
        word=word,
        kind="lm-eval",
        name=models[0],
        results=found,
        where=f"lm-eval's output in {path}",
        notes=_older([record for record, _ in read], [record for record, _ in newest.values()]),
    )


def _with_samples(path: Path) -> list[Path]:
    """A results file brings the samples files of its time along."""
    named = RESULTS.fullmatch(path.name) if path.is_file() else None
    if named is None:
        return [path]
    beside = sorted(path.parent.glob(f"samples_*_{named['time']}.jsonl"))
    return [path, *(each for each in beside if SAMPLES.fullmatch(each.name))]


def _older(read: Sequence[Record], newest: Sequence[Record]) -> tuple[str, ...]:
    left = len(read) - len(newest)
    return (f"{left:,} older results of the same tasks in the folder are left out",) if left else ()
