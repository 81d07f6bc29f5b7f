"""findings.html: the write-up as a page of the site, and what the registry's linter finds in its sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reports.models.grid import Cell, Column, Grid, grid
from reports.models.published import findings_in
from reports.models.subject import subjects
from reports.pages.findings.account import COMMAND, Section, account_of
from reports.pages.findings.stored import stored_record
from reports.pages.targets import hardware_of, way_from
from reports.site import addresses
from reports.site.frame import page
from reports.site.input import SiteInput
from reports.tables.table import Table
from zoo.registry.loader import Registry

DOUBTS = {
    "revision": "Two sets of weights under one name",
    "conflict": "Two values for one protocol",
    "shots": "One figure under two numbers of shots",
    "measure": "One name over values that cannot be compared",
    "statement": "A size or count that differs from the dimensions",
    "axis": "An axis counted as pruned that did not shrink",
    "width": "Heads × head size is not the hidden size",
    "speed": "Speed at batches that were not held equal, or two ratios for one comparison",
    "selection": "A shape chosen by a task that is scored",
    "copy": "A source that repeats another",
}
"""Rule of the linter → what it finds, in words."""
MARKS = {"same": "good", "different": "bad"}


def pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    """findings.html."""
    account = account_of(stored_record(site.results))
    yield (
        addresses.FINDINGS,
        page(
            "findings.html.j2",
            addresses.FINDINGS,
            "Findings",
            styles=("models.css",),
            description=_plain(account.lede),
            version=site.version,
            lede=_plain(account.lede),
            command=COMMAND,
            table=_grid(account.table, marked=4),
            how=[_plain(paragraph) for paragraph in account.how],
            sections=[(section, _facts(section)) for section in account.sections],
            arms=None if account.arms is None else _grid(account.arms),
            doubts=_doubts(site.registry),
            way=way_from(
                addresses.FINDINGS,
                {subject.facts.id for subject in subjects(site.board, site.registry)},
                hardware_of(site),
            ),
        ),
    )


def _plain(text: str) -> str:
    return text.replace("`", "")


def _grid(table: Table, marked: int | None = None) -> Grid | None:
    """The table; of the column `marked` a cell is marked by its first word."""
    columns = [Column(heading.name, heading.number, wide=not heading.number) for heading in table.headings]
    rows = [
        [Cell(cell, mark=MARKS.get(cell, "") if at == marked else "") for at, cell in enumerate(row)]
        for row in table.rows
    ]
    return grid(table.title or "What the papers found, and what was found here", columns, rows, table.notes)


def _facts(section: Section) -> Grid | None:
    rows = [
        [Cell(name), Cell(words, mark=MARKS.get(words, "") if name == "Verdict" else "")]
        for name, words in section.facts
    ]
    return grid(section.sentence, (Column("What"), Column("Value", wide=True)), rows)


def _doubts(registry: Registry) -> Grid | None:
    found = Counter(finding.rule for listed in findings_in(registry).values() for finding in listed)
    rows = [[Cell(DOUBTS.get(rule, rule)), Cell(f"{number:,}")] for rule, number in found.most_common()]
    columns = (Column("Doubt about the registry's sources"), Column("Found", number=True))
    return grid("What the registry's linter finds in its sources: doubtful, none of it wrong.", columns, rows)
