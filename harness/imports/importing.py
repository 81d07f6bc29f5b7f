"""`minizoo import`: files of other tools become records marked as imported; all of them, or none.

A file is read and checked whole before anything is written; if one of several is bad, nothing of any is stored.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from harness.imports.drafts import NOT_STORED, UNKNOWN, Draft, Given, one_line, whole_pairs
from harness.imports.formats import SUPPORTED, drafts_of
from harness.imports.lm_eval_results import TOOL, with_samples
from harness.imports.other_tools import tool_of_text
from harness.imports.run_files import RunFiles, run_files
from harness.records.files import folder_name, new_run_id, write_run
from harness.records.record import Imported, Record, Setting, Subject
from harness.store.query import query
from zoo.errors import FileMissing, InvalidImport, NotWritable, UnknownTool
from zoo.files import check_writable
from zoo.registry.loader import load_registry

LOCAL = ("/", "./", "../", "~")
"""What a model's name begins with where it is a folder: results are filed under the folder's own name."""
LONGEST_TASK = 100
"""Characters of a task's name that stay where a number has to follow within its folder's name."""
BEFORE = """
SELECT run_id FROM records WHERE source = 'imported' AND (
  json_extract_string(record, '$.imported.sha256') = ?
  OR json_extract_string(record, '$.imported.rest."results.sha256"') = ?
) ORDER BY run_id"""
LARGEST = 2 << 30
"""Bytes of a file; vLLM's detailed files with every generated text can be large, but not as large as this."""


@dataclass(frozen=True)
class Taken:
    """What became of one file, with lm-eval's samples of its run: records, in a run of their own. `before` says that `run_id`
    is an earlier import of the same."""

    file: Path
    run_id: str
    records: tuple[Record, ...] = ()
    before: bool = False
    samples: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _File:
    path: Path
    sha256: str
    """Of the file; with samples, over its own and theirs."""
    modified: datetime
    drafts: tuple[Draft, ...]
    samples: tuple[Path, ...] = ()
    results_sha256: str | None = None
    """Of the results file alone, where samples are with it."""


def import_files(paths: Sequence[Path], results: Path, given: Given | None = None) -> list[Taken]:
    """Read every file, then store what they say; a file that was imported before is not stored again.

    lm-eval's samples files are taken with the results file of their run, a folder of lm-eval's with all that it holds
    (`run_files`). Raises UnknownTool for a file that is not one of SUPPORTED, InvalidImport for one that lacks what its kind
    must have or does not name its model (and `given` does not either), FileMissing: then nothing is stored. NotWritable when
    the results cannot be written.
    """
    files = [_read(run, given or Given()) for run in run_files(paths)]
    check_writable(results)
    taken: list[Taken] = []
    for file in files:
        earlier = _imported_before(results, file)
        known = Taken(file.path, earlier or "", before=True, samples=file.samples)
        taken.append(known if earlier else _store(results, file))
    return taken


def read_files(paths: Sequence[Path], given: Given | None = None) -> list[tuple[Record, Sequence[Mapping[str, Any]]]]:
    """The records that those files would become, each with its samples; nothing is stored. Raises as `import_files` does."""
    files = [_read(run, given or Given()) for run in run_files(paths)]
    return [(_record(new_run_id(), file, draft), draft.samples) for file in files for draft in file.drafts]


def _read(run: RunFiles, given: Given) -> _File:
    path = run.results
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidImport(f"{path} has more than {LARGEST >> 30} GiB.", f"minizoo imports: {SUPPORTED}.")
        content = path.read_bytes()
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise FileMissing(
            f"{path} cannot be read ({error.strerror or error}).", "Give a file that a tool wrote."
        ) from None
    found = [(document, drafts_of(where, document, given)) for where, document in _documents(path, content)]
    if run.samples:
        found = [(document, _with_samples(run, document, drafts, given)) for document, drafts in found]
    drafts = [draft for _, made in found for draft in made]
    own = hashlib.sha256(content).hexdigest()
    theirs = sorted({draft.rest["samples.sha256"] for draft in drafts if draft.samples})
    both = hashlib.sha256("".join([own, *theirs]).encode()).hexdigest() if theirs else own
    return _File(path, both, modified, _apart(drafts), run.samples, own if run.samples else None)


def _with_samples(run: RunFiles, document: Any, drafts: Sequence[Draft], given: Given) -> list[Draft]:
    """The drafts of lm-eval's results with the samples of the same run; InvalidImport where they are another tool's."""
    other = next((draft.tool for draft in drafts if draft.tool != TOOL), None)
    if other is not None:
        raise InvalidImport(
            f"{run.samples[0]} holds samples of lm-eval, and {run.results} is a result of {other}.",
            f"{NOT_STORED} Give lm-eval's results file of the same run.",
        )
    return with_samples(document, drafts, run.samples, given)


def _documents(path: Path, content: bytes) -> Iterator[tuple[str, Any]]:
    """The JSON documents of a file and what to call them: one, several, as `vllm bench serve --append-result` leaves, or a
    list of them, as `vllm bench sweep` does."""
    decoder, position, count = json.JSONDecoder(), 0, 0
    text = ""
    try:
        text = content.decode("utf-8-sig").strip()
        while position < len(text):
            document, position = decoder.raw_decode(text, position)
            for one in _of_list(whole_pairs(document, text)):
                count += 1
                yield (str(path) if count == 1 else f"{path} (document {count})"), one
            while position < len(text) and text[position].isspace():
                position += 1
    except (ValueError, RecursionError) as error:
        if known := tool_of_text(text):
            tool, instead = known
            raise UnknownTool(
                f"{path} is a result of {tool}, in a form that minizoo does not import.",
                instead or f"It imports: {SUPPORTED}.",
            ) from None
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(str(error))
        raise InvalidImport(f"{path} is not JSON ({reason}).", f"minizoo imports: {SUPPORTED}.") from None
    if not count:
        raise InvalidImport(f"{path} is empty.", f"minizoo imports: {SUPPORTED}.")


def _of_list(document: Any) -> list[Any]:
    """The documents of a list of documents; any other document by itself."""
    listed = cast("list[Any]", document) if isinstance(document, list) else []
    return listed if listed and all(isinstance(one, dict) for one in listed) else [document]


def _apart(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """Drafts of one file in folders of their own: a second of the same name gets a number."""
    seen: set[str] = set()
    named: list[Draft] = []
    for draft in drafts:
        names = (draft.task if times == 1 else f"{draft.task[:LONGEST_TASK]}.{times}" for times in itertools.count(1))
        task = next(name for name in names if folder_name(name) not in seen)
        seen.add(folder_name(task))
        named.append(replace(draft, task=task))
    return tuple(named)


def _imported_before(results: Path, file: _File) -> str | None:
    """The run of an earlier import of the same files; of a results file alone, also one together with its samples."""
    found = query(results, BEFORE, [file.sha256, file.sha256])
    return found[0]["run_id"] if found else None


def _store(results: Path, file: _File) -> Taken:
    """All records of a file, or none: a run that could not be finished is taken away again."""
    run_id = new_run_id()
    records = tuple(_record(run_id, file, draft) for draft in file.drafts)
    try:
        write_run(results, run_id, zip(records, (draft.samples for draft in file.drafts), strict=True))
    except OSError as error:
        raise NotWritable(
            f"What {file.path} says could not be written to {results} ({error.strerror or error}).",
            "Nothing of this file was stored: free some space and import it again.",
        ) from error
    return Taken(file.path, run_id, records, samples=file.samples)


def _record(run_id: str, file: _File, draft: Draft) -> Record:
    name = draft.model or UNKNOWN
    model = load_registry().find(name)
    local = name.startswith(LOCAL)
    finished = draft.finished or draft.started
    return Record(
        run_id=run_id,
        task=draft.task,
        status="ok",
        suite=draft.suite,
        resolved_suite={"tasks": [{"task": draft.task, "departure": draft.departure}]} if draft.departure else {},
        task_version=draft.task_version,
        task_digest="",
        shots=draft.shots,
        limit=draft.limit,
        overflow=UNKNOWN,
        members=draft.members,
        started_at=draft.started or finished or file.modified,
        finished_at=finished or file.modified,
        subject=Subject(
            id=model.id if model else Path(name).name if local else name,
            source=name,
            revision=draft.revision,
            weights_digest="",
            tokenizer_digest="",
            entry=model.model_dump(mode="json") if model else None,
            kind="registry" if model else "folder" if local else "hub",
        ),
        setting=_setting(draft),
        counts=None,
        scores=draft.scores,
        source="imported",
        imported=Imported(
            tool=draft.tool,
            tool_version=draft.version,
            file=file.path.name,
            sha256=file.sha256,
            time="stated" if finished else "file",
            rest={**draft.rest, **({"results.sha256": file.results_sha256} if file.results_sha256 else {})},
        ),
        speed=draft.speed,
    )


def _setting(draft: Draft) -> Setting:
    """Where and how it was measured, as far as the file tells; `command` is the import's."""
    return Setting(
        backend=draft.backend,
        device=draft.device or UNKNOWN,
        dtype=draft.dtype or UNKNOWN,
        gpu=draft.gpu,
        driver=draft.driver,
        host=UNKNOWN,
        platform=UNKNOWN,
        versions=dict(draft.versions),
        git_sha=None,
        seed=draft.seed,
        command=shlex.join(["minizoo", *sys.argv[1:]]),
    )
