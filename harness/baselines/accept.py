"""Accepting a run as a baseline: its bundle beside the file of baselines, then its entry in that file."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.baselines.bundle import packed_run
from harness.baselines.chosen_run import ChosenRun, choose_run
from harness.baselines.file import NAME, Baseline, load_baselines, write_baseline
from zoo.errors import InvalidOption, NotWritable
from zoo.files import write_atomically

FOLDER = "baselines"
"""Of bundles, beside the file."""
LONGEST_TEXT = 500


@dataclass(frozen=True)
class Accepted:
    """What was written."""

    baseline: Baseline
    file: Path
    run: ChosenRun
    replaced: Baseline | None
    """What the name stood for before; None where it is new."""
    removed: Path | None
    """The replaced one's bundle, where nothing else named it."""


def accept(
    results: Path, word: str, file: Path, reason: str, by: str | None = None, name: str | None = None,
    now: datetime | None = None,
) -> Accepted:  # fmt: skip
    """Make the run that `word` names, by its id or the beginning of one, a baseline of `file`.

    `by`: who accepts it, git's user.name where it is None; `name`: the model where it is None. An older baseline of that name
    is replaced. Raises what `choose_run`, `packed_run` and `load_baselines` do, InvalidOption for words that are none,
    NotWritable; then the file is as it was.
    """
    run = choose_run(results, word)
    known = load_baselines(file) if file.exists() else {}
    name = _name(run, name)
    told = {"reason": _told("--reason", reason), "accepted_by": _told("--by", _git_user() if by is None else by)}
    content = packed_run(run)
    sha256 = hashlib.sha256(content).hexdigest()
    baseline = Baseline(
        name=name,
        model=run.model,
        run=run.run_id,
        **told,
        accepted_at=(now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0),
        bundle=f"{FOLDER}/{re.sub(r'[^A-Za-z0-9._+-]', '-', name)}-{sha256[:8]}.zip",
        sha256=sha256,
        bytes=len(content),
    )
    try:
        bundle = file.parent / baseline.bundle
        bundle.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(bundle, content)
        write_baseline(file, baseline)
    except OSError as error:
        raise NotWritable(
            f"The baseline cannot be written beside {file} ({error.strerror or error}).",
            "Give --file in a folder that can be written to; nothing was accepted.",
        ) from error
    return Accepted(baseline, file, run, known.get(name), _removed(file, known.get(name)))


def _name(run: ChosenRun, name: str | None) -> str:
    found = run.model if name is None else name
    if len(found) > 120 or re.fullmatch(NAME, found) is None:
        given = f"--name {found!r:.120}" if name is not None else f"The model's name, {found!r:.120},"
        raise InvalidOption(
            f"{given} is no name of a baseline: letters, digits and . _ - + @ / make one.", "Give one: --name NAME."
        )
    return found


def _told(option: str, words: str | None) -> str:
    found = " ".join((words or "").split())
    if not found and option == "--by":
        raise InvalidOption(
            "Nobody says who accepts the baseline: git has no user.name here.",
            "Give it: --by NAME, or `git config user.name`.",
        )
    if not found or len(found) > LONGEST_TEXT or not found.isprintable():
        raise InvalidOption(
            f"{option} is empty, longer than {LONGEST_TEXT} characters or not to be shown.", "Say it in a sentence."
        )
    return found


def _git_user() -> str | None:
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _removed(file: Path, replaced: Baseline | None) -> Path | None:
    """Remove the bundle of the replaced baseline, unless a baseline of the file still names it."""
    if replaced is None or replaced.bundle in {each.bundle for each in load_baselines(file).values()}:
        return None
    path = file.parent / replaced.bundle
    if not path.is_file():
        return None
    path.unlink()
    return path
