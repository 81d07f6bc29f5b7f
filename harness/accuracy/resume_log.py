"""What an unfinished run leaves, so that the same command resumes a dead one: `results/partial/<key>-<run id>/`.

The folder holds `run.json` (which run it is), `answers.jsonl` (one line a finished unit of work) and a lock that the
writing process holds for as long as it lives. The key is a digest of everything that decides the answers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from filelock import FileLock, Timeout

from harness.lmeval.responses import Answer
from zoo.errors import InternalError
from zoo.files import write_atomically


@dataclass
class ResumeLog:
    """The open folder of one unfinished run. `append` is durable against a killed process, not against a power cut."""

    folder: Path
    run_id: str
    finished: dict[str, str]
    """Task → the run that recorded it. Only a run that ended in a fault leaves some behind under another id."""
    answers: dict[str, Answer]
    """Unit key as text → its answer, as read at the start: none of these is computed again."""
    tasks: Mapping[str, str]
    """Task → the digest of its text and data."""
    fault: tuple[str, int] | None
    """What broke the run before it off, and how many answers were kept by then; None where nothing did."""
    _lock: FileLock
    _log: IO[str] = field(init=False)
    _added: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._log = (self.folder / "answers.jsonl").open("a", encoding="utf-8")

    def append(self, key: str, answer: Answer) -> None:
        """Add one answer and hand it to the operating system at once."""
        self._log.write(json.dumps({"key": key, **answer}) + "\n")
        self._log.flush()
        self._added += 1

    @property
    def kept(self) -> int:
        """Answers in the log by now."""
        return len(self.answers) + self._added

    def hand_over(self, run_id: str, finished: Mapping[str, str], fault: str) -> None:
        """After a fault: leave the answers to a next run of another id, with the tasks that are recorded already."""
        _write_run(self.folder, run_id, finished, self.tasks, (fault, self.kept))
        self.release()

    def discard(self) -> None:
        """Remove the folder: the run is finished, or a fresh start was asked for."""
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        # A process waiting for this lock finds no folder once it has it, and goes on; run ids make the name unique.
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go of the lock and keep the folder."""
        with contextlib.suppress(OSError):
            self._log.close()
        self._lock.release()


def resume_key(parts: Mapping[str, Any]) -> str:
    """A digest of everything that decides the answers: 24 hex digits of sha256 over canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def open_resume_log(
    results: Path, key: str, run_id: str, fresh: bool = False, tasks: Mapping[str, str] | None = None
) -> ResumeLog:
    """Take over the unfinished run of this key whose process is dead, else start `run_id`.

    A run is another where a task of both has another digest of text and data (`tasks`); one that had fewer or more tasks, for
    lack of data, goes on. A live process keeps its own. With `fresh` what a dead one left is removed instead.
    """
    tasks = tasks or {}
    root = results / "partial"
    root.mkdir(parents=True, exist_ok=True)
    for folder in sorted(root.glob(f"{key}-*/")):
        lock = _try_lock(folder)
        if lock is None:
            continue
        left = _read(folder)
        if left is not None and any(tasks.get(name, digest) != digest for name, digest in left.tasks.items()):
            lock.release()
            continue
        if left is None or fresh:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
            continue
        known = {**left.tasks, **tasks}
        _write_run(folder, left.run_id, left.finished, known, left.fault)
        return ResumeLog(folder, left.run_id, left.finished, left.answers, known, left.fault, lock)
    folder = root / f"{key}-{run_id}"
    lock = _try_lock(folder)  # before the folder is there, so that no process can take it for a dead one's
    if lock is None:
        raise InternalError(f"{folder} is locked although it is new.")
    folder.mkdir()
    _write_run(folder, run_id, {}, tasks)
    return ResumeLog(folder, run_id, {}, {}, tasks, None, lock)


def _try_lock(folder: Path) -> FileLock | None:
    # Beside the folder, so that removing the folder never removes a lock that another process waits for.
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def _write_run(
    folder: Path,
    run_id: str,
    finished: Mapping[str, str],
    tasks: Mapping[str, str],
    fault: tuple[str, int] | None = None,
) -> None:
    run = {"run_id": run_id, "finished": dict(finished), "tasks": dict(tasks), "fault": fault}
    write_atomically(folder / "run.json", json.dumps(run).encode())


class _Left(NamedTuple):
    """What a dead run left, as the fields of its ResumeLog."""

    run_id: str
    finished: dict[str, str]
    answers: dict[str, Answer]
    tasks: dict[str, str]
    fault: tuple[str, int] | None


def _read(folder: Path) -> _Left | None:
    """What a dead run left, or None when it died before writing anything."""
    try:
        run = json.loads((folder / "run.json").read_text("utf-8"))
        message, kept = run.get("fault") or (None, 0)  # absent in what earlier versions left
        fault = None if message is None else (message, kept)
        answers = dict(_answers(folder / "answers.jsonl"))
        return _Left(run["run_id"], run["finished"], answers, run.get("tasks") or {}, fault)
    except (OSError, ValueError, KeyError):
        return None


def _answers(path: Path) -> Iterator[tuple[str, Answer]]:
    if not path.is_file():
        return
    whole = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            answer = json.loads(line)
            whole += len(line)
            yield answer.pop("key"), answer
    # A line cut by the kill would run into the next one appended.
    with path.open("rb+") as file:
        file.truncate(whole)
