"""The files of lm-eval: which belong together, by the time that their names carry, and the rows of a samples file.

Since 0.4.3 lm-eval writes `results_TIME.json` (or `NAME_TIME.json`) and `samples_TASK_TIME.jsonl` into one folder; before, it
wrote `results.json` (or a name of the user's) and `MODEL_TASK.jsonl`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field, ValidationError

from harness.imports.drafts import NOT_STORED, Part, Whole, one_line, whole_pairs
from zoo.errors import FileMissing, InvalidImport

TIME = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?"
RESULTS = re.compile(rf".+_(?P<time>{TIME})\.json")
SAMPLES = re.compile(rf"samples_(?P<task>.+)_(?P<time>{TIME})\.jsonl", re.DOTALL)
BEGINNING = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[?\s*\{\s*"doc_id"\s*:')
"""Of a samples file of any name: a line a document, or before 0.4.3 one list of them."""
BEGINNING_BYTES = 200
LONGEST_LINE = 256 << 20
"""Bytes; a document's requests with every example can be long, but not as long as this."""
AGAIN = f"{NOT_STORED} Copy the file anew, or evaluate again with --log_samples."


class Kept(Part):
    """What a line that minizoo exported says beside lm-eval's own words, since it may have the requests in part only."""

    request_hash: str
    occurrence: Whole
    gold: Whole | None = None
    gold_logprob: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = None
    length: Whole | None = None


@dataclass(frozen=True)
class RunFiles:
    """A file of results, and the samples files that belong to it."""

    results: Path
    samples: tuple[Path, ...] = ()


def run_files(paths: Sequence[Path]) -> list[RunFiles]:
    """The files, those of folders included, each results file with its samples.

    A samples file brings its results file along where that is beside it. Raises FileMissing for one whose results file is
    not there and for a folder that has none, InvalidImport where several could be meant.
    """
    listed = [path for given in paths for path in (_of_folder(given) if given.is_dir() else [given])]
    samples = {path.resolve(): path for path in listed if _has_samples(path)}
    found: dict[Path, list[Path]] = {path: [] for path in listed if path.resolve() not in samples}
    given = list(found)
    for path in samples.values():
        found.setdefault(_results_of(path, given), []).append(path)
    return [RunFiles(results, tuple(listed)) for results, listed in found.items()]


def kept_of(path: Path, where: str, raw: Mapping[str, Any]) -> Kept | None:
    """That part of a line; None where lm-eval wrote it. InvalidImport for one that nobody could have written."""
    try:
        return Kept.model_validate(raw["minizoo"]) if "minizoo" in raw else None
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidImport(f"{path}, {where}: its `minizoo` is broken ({one_line(told)}).", AGAIN) from None


def task_of(samples: Path, tasks: Iterable[str]) -> str:
    """The task whose documents a samples file holds, by its name; InvalidImport where it is none of the results file's."""
    named = SAMPLES.fullmatch(samples.name)
    tasks = sorted(tasks, key=len, reverse=True)
    fits = [task for task in tasks if (named["task"] == task if named else _ends_with(samples.stem, task))]
    if not fits:
        meant = f"task {named['task'][:100]!r}" if named else "a task that its name does not tell"
        raise InvalidImport(
            f"{samples} is of {meant}, of which its results file has no score.",
            f"{NOT_STORED} Give the results file of the same run"
            + (
                "."
                if named
                else f", and call the samples file MODEL_TASK.jsonl as lm-eval does ({', '.join(tasks)[:200]})."
            ),
        )
    return fits[0]


def _ends_with(stem: str, task: str) -> bool:
    return stem == task or stem.endswith(f"_{task}")


def _of_folder(folder: Path) -> list[Path]:
    """The files of lm-eval in a folder that it wrote, or in those of the models below it."""
    try:
        inside = sorted(folder.iterdir())
        files = [path for path in inside if path.is_file()]
        files += [path for below in inside if below.is_dir() for path in sorted(below.iterdir()) if path.is_file()]
    except OSError as error:
        raise FileMissing(
            f"{folder} cannot be read ({error.strerror or error}).", "Give a folder of lm-eval."
        ) from None
    named = [path for path in files if path.suffix == ".json" and _has_results(path)]
    found = [*named, *(path for path in files if path.suffix == ".jsonl" and _has_samples(path))]
    if not found:
        raise FileMissing(
            f"{folder} holds no results of lm-eval (results_….json), nor does a folder in it.",
            "Give the folder of its --output_path, or the files.",
        )
    return found


def _has_results(path: Path) -> bool:
    return path.name.startswith("results") or RESULTS.fullmatch(path.name) is not None


def _has_samples(path: Path) -> bool:
    if SAMPLES.fullmatch(path.name):
        return True
    try:
        with path.open("rb") as file:
            return BEGINNING.match(file.read(BEGINNING_BYTES)) is not None
    except OSError:
        return False  # told by whoever reads it


def _results_of(samples: Path, given: Sequence[Path]) -> Path:
    named = SAMPLES.fullmatch(samples.name)
    return _of_time(samples, named["time"], given) if named else _of_no_time(samples, given)


def _of_time(samples: Path, time: str, given: Sequence[Path]) -> Path:
    same = [path for path in given if (match := RESULTS.fullmatch(path.name)) and match["time"] == time]
    beside = [path for path in same if path.parent == samples.parent] or same
    beside = beside or sorted(samples.parent.glob(f"*_{time}.json"))
    if len(beside) > 1:
        raise InvalidImport(
            f"{samples} could belong to {' or '.join(map(str, beside[:3]))}, which are of the same time.",
            f"{NOT_STORED} Give it together with its own alone.",
        )
    if not beside:
        others = f", and {given[0]} is of another run" if given else ""
        raise FileMissing(
            f"{samples} holds a run's samples, and its results file is missing: {samples.parent}/results_{time}.json is not "
            f"there{others}.",
            f"{NOT_STORED} Give the results file with it.",
        )
    return beside[0]


def _of_no_time(samples: Path, given: Sequence[Path]) -> Path:
    undated = [path for path in given if path.suffix == ".json"]
    beside = [path for path in undated if path.parent == samples.parent] or undated
    beside = beside or [path for path in [samples.with_name("results.json")] if path.is_file()]
    if len(beside) > 1:
        raise InvalidImport(
            f"{samples} does not say in its name of which run it is, and {len(beside)} results files are given.",
            f"{NOT_STORED} Give it together with its own alone.",
        )
    if not beside:
        raise FileMissing(
            f"{samples} holds a run's samples, and its results file is missing: {samples.with_name('results.json')} is not "
            "there.",
            f"{NOT_STORED} Give the results file with it.",
        )
    return beside[0]


def raw_rows(path: Path, digest: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row and where it stands, read line by line; `digest` is given every byte."""
    with path.open("rb") as file:
        is_list = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
        file.seek(0)
        if is_list:
            digest.update(content := file.read())
            whole = _parsed(path, "the list in it", content)
            yield from ((f"document {at}", _row(path, f"document {at}", row)) for at, row in enumerate(whole, 1))
            return
        lines = iter(lambda: file.readline(LONGEST_LINE + 1), b"")
        for number, line in enumerate(lines, 1):
            digest.update(line)
            where = f"line {number:,}"
            if len(line) > LONGEST_LINE:
                raise InvalidImport(f"{path}, {where}: it has more than {LONGEST_LINE >> 20} MiB.", AGAIN)
            if line.strip():
                yield where, _row(path, where, _parsed(path, where, line))


def _parsed(path: Path, where: str, content: bytes) -> Any:
    try:
        text = content.decode("utf-8-sig")
        return whole_pairs(json.loads(text), text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(str(error))
        cut = "" if content.endswith(b"\n") else "; it ends there, in the middle"
        raise InvalidImport(f"{path}, {where}: it is not JSON ({reason}{cut}).", AGAIN) from None


def _row(path: Path, where: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise InvalidImport(f"{path}, {where}: it is no sample of lm-eval.", AGAIN)
    return cast("dict[str, Any]", row)
