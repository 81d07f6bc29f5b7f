"""From the results to the site on disk: every page maker once, each page written as it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.store.query import Reader
from reports.board.build import build_board
from reports.pages import board, claims, comparisons, gate, models, runs, speed, waiting
from reports.pages.findings import page as findings
from reports.pages.single import single_file
from reports.site.addresses import HOME
from reports.site.input import SiteInput
from reports.site.writing import Site, check_replaceable, site_in, write_file
from reports.tables.formats import board_parquet, written
from zoo.errors import UnknownModel
from zoo.names import unknown
from zoo.registry.loader import load_registry

PARQUET = "board.parquet"
"""Beside the home page, which leads to it."""
SINGLE = "leaderboard.html"
MAKERS: tuple[Callable[[SiteInput], Iterator[tuple[str, str]]], ...] = (
    board.pages,
    models.pages,
    claims.pages,
    gate.pages,
    findings.pages,
    waiting.pages,
    comparisons.pages,
    speed.pages,
    runs.pages,
)
"""Each gives (address, HTML) of its pages, one by one. Pages of single runs are made apart: `_put_runs`."""
Pair = tuple[str, str]


@dataclass(frozen=True)
class Published:
    """What became of a site."""

    path: Path
    """Its first page."""
    files: int
    written: int
    """Files that were written, where the others stood as they are already."""


def publish(results: Path, out: Path, version: str, asked: Sequence[Pair] = ()) -> Published:
    """Write the site to `out` from the results, and return what was written. `asked`: pairs to compare, the reference first.

    Pages are written one by one, those that are no longer made are taken away at the end. Raises ResultsMissing, Busy and
    NewerResults as the store does, UnknownModel for a pair, and NotASite, NewerSite and NotWritable as `site_in`.
    """
    reader = Reader(results)
    with site_in(out) as site:
        source = site_input(results, reader, version, asked)
        for make in MAKERS:
            for address, html in make(source):
                site.put(address, html)
        _put_runs(site, source)
        site.put(PARQUET, board_parquet(source.board))
    return Published(out / HOME, site.files, site.written)


def publish_single(results: Path, out: Path, version: str) -> Path:
    """Write the leaderboard as one file, and return its path: `out` where that is named `.html`, else a file in that folder.

    Raises as `publish` does, NotASite where a file of that name is not minizoo's.
    """
    path = out if out.suffix.lower() in (".html", ".htm") else out / SINGLE
    check_replaceable(path)
    write_file(path, single_file(site_input(results, Reader(results), version)).encode())
    return path


def table(results: Path, form: str) -> str:
    """The leaderboard as `markdown`, `json` or `csv`. Raises as the store does."""
    return written(build_board(Reader(results), load_registry()), form)


def site_input(results: Path, reader: Reader, version: str, asked: Sequence[Pair] = ()) -> SiteInput:
    """What the pages are made from. UnknownModel for a pair with a name that neither results nor registry know."""
    registry = load_registry()
    made = build_board(reader, registry)
    shown = {row.facts.id for row in made.rows}
    for name in (name for pair in asked for name in pair):
        if name not in shown and registry.find(name) is None:
            known = [*shown, *(each for model in registry.models.values() for each in model.names)]
            raise unknown(UnknownModel, "model", name, known, "`minizoo report` names all that were measured.")
    return SiteInput(results, reader, registry, made, version, tuple(asked))


def _put_runs(site: Site, source: SiteInput) -> None:
    """The pages of runs with their samples: only those that are new, or of which something changed."""
    due = runs.due_runs(source)
    changed = [run for run in due if not all(site.unchanged(each, run.digest) for each in (run.page, *run.samples))]
    for made in runs.run_pages(source, changed):
        for address, path in made.samples:
            site.copy(address, path, made.due.digest)
        site.put(made.due.page, made.html, made.due.digest)
