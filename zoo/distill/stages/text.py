"""The text of a run as packed rows, made once, and what of it stands in the documents of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.distill.data.manifest import Manifest, read_manifest
from zoo.distill.data.overlap import HeldText, OverlapReport, OverlapSettings, measure_overlap
from zoo.distill.data.prepare import RowSettings, prepare
from zoo.distill.data.rows import TokenRows
from zoo.distill.data.shards import open_rows
from zoo.distill.data.sources import Source, parse_sources
from zoo.distill.data.tokenizing import TextTokenizer
from zoo.distill.request import DistillRequest
from zoo.distill.train.world import World
from zoo.prune.progress import ProgressCallback

ROWS, OVERLAP = "rows", "overlap.json"


@dataclass(frozen=True)
class HeldTasks:
    """The documents of tasks, and the tasks that have none at hand with the reason."""

    texts: Sequence[HeldText]
    missing: Mapping[str, str]


OpenTasks = Callable[[], HeldTasks]
"""Passed in from above: what a task is, this room does not know."""


@dataclass(frozen=True)
class RunText:
    """The rows that a run takes its batches from."""

    rows: TokenRows
    sources: tuple[Source, ...]
    epochs: float
    """How often they are seen."""
    overlap: OverlapReport | None = None
    """What the text shares with the documents of tasks; None where nobody looked."""
    overlap_file: Path | None = None

    def needed(self, steps: int, batch: int) -> list[int]:
        """The numbers of the rows that so many steps take."""
        return sorted({int(row) for row in self.rows.order.rows_at(0, steps * batch)})

    @property
    def names(self) -> tuple[str, ...]:
        """The sources as a card names them: files without the folders that they stand in."""
        return tuple(source.path.name if source.path else source.name for source in self.sources)


@dataclass(frozen=True)
class Desk:
    """Where text is made into rows, and who is told of it; `open_tasks` is None where nobody looks for tasks in it."""

    work: Path
    world: World
    open_tasks: OpenTasks | None = None
    tell: Callable[[str], None] = lambda _line: None
    progress: ProgressCallback | None = None


def open_text(request: DistillRequest, tokenizer: TextTokenizer, desk: Desk) -> RunText:
    """Rows of the request's sources: made by the first process, read by all.

    They stand in the work folder, beside a teacher's cache in the cache's, where other students find them. Raises what
    `measure_overlap` and `prepare` raise, and TooLittleData for fewer rows than a step takes.
    """
    train, world = request.train, desk.world
    home = desk.work if request.teacher_cache is None else request.teacher_cache
    sources = parse_sources(request.data, request.text_column)
    hub = any(source.hub is not None for source in sources)

    def make() -> OverlapReport | None:
        report = _overlap(request, sources, tokenizer, home, desk)
        left_out = report.left_out if report is not None and request.drop_overlap else {}
        most = train.steps * train.batch if hub else None
        settings = RowSettings(train.length, request.skip_broken, left_out, most)
        manifest = prepare(
            sources, tokenizer, settings, home / ROWS, desk.progress, report.identities if report else None
        )
        _tell(manifest, report, request, desk)
        return report

    report = world.first(make)
    rows = open_rows(home / ROWS, sources, tokenizer.vocabulary, train.seed)
    rows.check_batch(train.batch, world.size)
    return RunText(rows, sources, rows.epochs(train.steps, train.batch), report, home / OVERLAP if report else None)


def overlap_told(report: OverlapReport, dropped: bool) -> dict[str, Any]:
    """The report for a note: tasks with a document in the text, how many were compared, what became of the documents."""
    found = {task.task: f"{task.found} of {task.judged} documents" for task in report.tasks if task.found}
    return {
        "tasks": found,
        "tasks_compared": len(report.tasks),
        "words": report.size,
        "documents": sum(len(source.overlapping) for source in report.sources),
        "dropped": dropped,
    }


def _overlap(
    request: DistillRequest, sources: Sequence[Source], tokenizer: TextTokenizer, home: Path, desk: Desk
) -> OverlapReport | None:
    file = home / OVERLAP
    if desk.open_tasks is None:
        return None
    manifest = read_manifest(home / ROWS)
    if manifest is not None and manifest.finished and file.is_file():  # gone on with: tasks need not be read again
        return OverlapReport.model_validate_json(file.read_bytes())
    held = desk.open_tasks()
    if held.missing:
        desk.tell(f"Not looked for in the text, since their data are not at hand: {', '.join(sorted(held.missing))}.")
    home.mkdir(parents=True, exist_ok=True)
    train = request.train
    settings = OverlapSettings(request.skip_broken, train.steps * train.batch * train.length)
    return measure_overlap(sources, held.texts, file, tokenizer.chat, settings, desk.progress)


def _tell(manifest: Manifest, report: OverlapReport | None, request: DistillRequest, desk: Desk) -> None:
    broken = sum(source.broken for source in manifest.sources)
    if broken:
        first = next(source.broken_first[0] for source in manifest.sources if source.broken_first)
        desk.tell(f"{broken:,} broken rows of the text were left out, the first: {first}")
    if report is None:
        return
    told = overlap_told(report, request.drop_overlap)
    if told["tasks"]:
        listed = "; ".join(f"{task}: {words}" for task, words in told["tasks"].items())
        done = "were left out" if request.drop_overlap else "stay (--drop-overlap leaves them out)"
        desk.tell(
            f"Tasks in the text: {listed}. The {told['documents']:,} documents of the text that have them {done}."
        )
