"""From the store to a page on disk."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from harness.store.query import query
from reports.page import PageMeta, render_page
from zoo.errors import InvalidOption, NotWritable
from zoo.files import write_atomically

EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"


def publish(results: Path, out: Path, version: str) -> Path:
    """Write `out/index.html` from the results, whole or not at all, and return its path.

    The page carries the time of SOURCE_DATE_EPOCH where that is set (reproducible-builds.org), else of now. Raises
    ResultsMissing when there are no results, NotWritable for the page, InvalidOption for a broken SOURCE_DATE_EPOCH.
    """
    scores = query(results, "SELECT * FROM scores")
    runs = query(results, "SELECT * FROM runs")
    records = sum(run["tasks"] for run in runs)
    page = render_page(scores, runs, PageMeta(_generated_at(), version, records))
    path = out / "index.html"
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, page.encode())
    except OSError as error:
        raise NotWritable(
            f"The report cannot be written to {path}: {error.strerror or error}.",
            "Give a folder that can be written, with room for it: `minizoo report --out DIR`.",
        ) from error
    return path


def _generated_at() -> datetime:
    epoch = os.environ.get(EPOCH_VARIABLE)
    if not epoch:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidOption(
            f"{EPOCH_VARIABLE} is '{epoch}', which is no time in seconds since 1970.",
            "Unset it, or set a whole number.",
        ) from error
