"""The text of a run as packed rows, made once, without what overlaps with tasks where that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.distill.data.manifest import Manifest
from zoo.distill.data.prepare import RowSettings, prepare
from zoo.distill.data.rows import TokenRows
from zoo.distill.data.shards import open_rows
from zoo.distill.data.sources import Source, parse_sources
from zoo.distill.data.tokenizing import TextTokenizer
from zoo.distill.request import DistillRequest
from zoo.distill.train.world import World
from zoo.prune.progress import ProgressCallback

OpenTasks = Callable[[], Iterable[Any]]
"""Gives the documents of tasks, to look for in the text; passed in from above."""
ROWS = "rows"


@dataclass(frozen=True)
class RunText:
    """The rows that a run takes its batches from."""

    rows: TokenRows
    sources: tuple[Source, ...]
    epochs: float
    """How often they are seen."""
    overlap: dict[str, Any] | None = None
    """What the text shares with the documents of tasks; None where nobody looked."""

    def needed(self, steps: int, batch: int) -> list[int]:
        """The numbers of the rows that so many steps take."""
        return sorted({int(row) for row in self.rows.order.rows_at(0, steps * batch)})


def open_text(
    request: DistillRequest,
    tokenizer: TextTokenizer,
    work: Path,
    world: World,
    open_tasks: OpenTasks | None,
    tell: Callable[[str], None],
    progress: ProgressCallback | None = None,
) -> RunText:
    """Rows of the request's sources: made by the first process, read by all.

    They stand in the work folder, beside a teacher's cache in the cache's, where other students find them. Raises what
    `prepare` raises, and TooLittleData for fewer rows than a step takes.
    """
    train = request.train
    folder = work / ROWS if request.teacher_cache is None else request.teacher_cache / ROWS
    sources = parse_sources(request.data, request.text_column)
    settings = RowSettings(train.length, most=train.steps * train.batch)

    def make() -> Manifest:
        return prepare(sources, tokenizer, settings, folder, progress)

    world.first(make)
    rows = open_rows(folder, sources, tokenizer.vocabulary, train.seed)
    rows.check_batch(train.batch, world.size)
    return RunText(rows, sources, rows.epochs(train.steps, train.batch))
