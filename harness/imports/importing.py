"""`minizoo import`: files of other tools become records marked as imported; all of them, or none.

A file is read and checked whole before anything is written; if one of several is bad, nothing of any is stored.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.imports.aiperf import read_aiperf
from harness.imports.drafts import UNKNOWN, Draft, Given, Unusable
from harness.imports.lm_eval_results import read_lm_eval
from harness.imports.trtllm import read_trtllm
from harness.imports.vllm import read_latency, read_serve, read_throughput
from harness.records.files import folder_name, new_run_id, run_folder, write_record
from harness.records.record import Imported, Record, Setting, Subject
from harness.store.query import query
from zoo.errors import FileMissing, InvalidImport, NotWritable, UnknownTool
from zoo.files import check_writable
from zoo.registry.loader import load_registry

LOCAL = ("/", "./", "../", "~")
"""What a model's name begins with where it is a folder: results are filed under the folder's own name."""
LONGEST_TASK = 100
"""Characters of a task's name that stay where a number has to follow within its folder's name."""
HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that may be half of a surrogate pair: JSON can write one, UTF-8 cannot, and it becomes a question mark."""
LARGEST = 2 << 30
"""Bytes of a file; vLLM's detailed files with every generated text can be large, but not as large as this."""


@dataclass(frozen=True)
class Format:
    """A kind of document, known by keys that all of its kind have; and its reader."""

    name: str
    keys: frozenset[str]
    read: Callable[[Mapping[str, Any], Given], list[Draft]]


FORMATS = (
    Format("lm-eval results_….json", frozenset({"results", "configs", "versions"}), read_lm_eval),
    Format("vllm bench serve", frozenset({"duration", "completed", "request_throughput"}), read_serve),
    Format(
        "vllm bench throughput", frozenset({"elapsed_time", "num_requests", "requests_per_second"}), read_throughput
    ),
    Format("vllm bench latency", frozenset({"avg_latency", "latencies"}), read_latency),
    Format("trtllm-bench --report_json", frozenset({"engine", "request_info", "performance"}), read_trtllm),
    Format("AIPerf profile_export_aiperf.json", frozenset({"request_latency", "request_count"}), read_aiperf),
)
SUPPORTED = "; ".join(form.name for form in FORMATS)


@dataclass(frozen=True)
class Taken:
    """What became of one file: its records, in a run of their own. `before` names the run of an earlier import of it."""

    file: Path
    run_id: str
    records: tuple[Record, ...] = ()
    before: bool = False


@dataclass(frozen=True)
class _File:
    path: Path
    sha256: str
    modified: datetime
    drafts: tuple[Draft, ...]


def import_files(paths: Sequence[Path], results: Path, given: Given | None = None) -> list[Taken]:
    """Read every file, then store what they say; a file that was imported before is not stored again.

    Raises UnknownTool for a file that is not one of SUPPORTED, InvalidImport for one that lacks what its kind must have or does
    not name its model (and `given` does not either): then nothing is stored. NotWritable when the results cannot be written.
    """
    files = [_read(path, given or Given()) for path in paths]
    check_writable(results)
    taken: list[Taken] = []
    for file in files:
        earlier = _imported_before(results, file.sha256)
        taken.append(Taken(file.path, earlier, before=True) if earlier else _store(results, file))
    return taken


def drafts_of(where: str, document: Any, given: Given) -> list[Draft]:
    """What one parsed document says; UnknownTool or InvalidImport, with `where` in it, for one that cannot be taken."""
    form = next((f for f in FORMATS if isinstance(document, dict) and f.keys <= document.keys()), None)
    if form is None:
        raise UnknownTool(f"{where} is the result of no tool that minizoo knows.", f"It imports: {SUPPORTED}.")
    try:
        drafts = form.read(document, given)
    except ValidationError as error:
        first = error.errors()[0]
        at = _one_line(".".join(map(str, first["loc"])))
        raise InvalidImport(
            f"{where} looks like {form.name}, but {at}: {first['msg'].lower()}, not {first['input']!r:.40}."
            if first["type"] != "missing"
            else f"{where} looks like {form.name}, but has no {at}.",
            "Nothing was stored. Write the file again with the tool.",
        ) from None
    except Unusable as error:
        reason, hint = error.args
        raise InvalidImport(f"{where} ({form.name}): {_one_line(reason)}.", f"Nothing was stored. {hint}") from None
    return [_completed(where, draft, given) for draft in drafts]


def _read(path: Path, given: Given) -> _File:
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidImport(f"{path} has more than {LARGEST >> 30} GiB.", f"minizoo imports: {SUPPORTED}.")
        content = path.read_bytes()
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise FileMissing(
            f"{path} cannot be read ({error.strerror or error}).", "Give a file that a tool wrote."
        ) from None
    drafts = [draft for where, document in _documents(path, content) for draft in drafts_of(where, document, given)]
    return _File(path, hashlib.sha256(content).hexdigest(), modified, _apart(drafts))


def _documents(path: Path, content: bytes) -> Iterator[tuple[str, Any]]:
    """The JSON documents of a file and what to call them: one, or several, as `vllm bench serve --append-result` leaves."""
    decoder, position, count = json.JSONDecoder(), 0, 0
    try:
        text = content.decode("utf-8-sig").strip()
        while position < len(text):
            document, position = decoder.raw_decode(text, position)
            if HALF_PAIR.search(text):
                document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
            count += 1
            yield (str(path) if count == 1 else f"{path} (document {count})"), document
            while position < len(text) and text[position].isspace():
                position += 1
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else _one_line(str(error))
        raise InvalidImport(f"{path} is not JSON ({reason}).", f"minizoo imports: {SUPPORTED}.") from None
    if not count:
        raise InvalidImport(f"{path} is empty.", f"minizoo imports: {SUPPORTED}.")


def _one_line(text: str) -> str:
    """Names in a file may hold line breaks, and be long."""
    return " ".join(text.split())[:200]


def _completed(where: str, draft: Draft, given: Given) -> Draft:
    """The draft with what the user says in place of what the file says."""
    model = given.model or draft.model
    if not model:
        raise InvalidImport(
            f"{where} ({draft.tool}) does not name one model.", "Nothing was stored. Name it: --model NAME."
        )
    return replace(draft, model=model, gpu=given.gpu or draft.gpu, dtype=given.dtype or draft.dtype)


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


def _imported_before(results: Path, sha256: str) -> str | None:
    digest = "json_extract_string(record, '$.imported.sha256')"
    found = query(results, f"SELECT run_id FROM records WHERE source = 'imported' AND {digest} = ?", [sha256])
    return found[0]["run_id"] if found else None


def _store(results: Path, file: _File) -> Taken:
    """All records of a file, or none: a run that could not be finished is taken away again."""
    run_id = new_run_id()
    records = tuple(_record(run_id, file, draft) for draft in file.drafts)
    try:
        for record in records:
            write_record(results, record)
    except BaseException as error:
        shutil.rmtree(run_folder(results, run_id), ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise NotWritable(
            f"What {file.path} says could not be written to {results} ({error.strerror or error}).",
            "Nothing of this file was stored: free some space and import it again.",
        ) from error
    return Taken(file.path, run_id, records)


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
        resolved_suite={},
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
            rest=dict(draft.rest),
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
