"""docs/findings.md and its pictures, from the committed record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.findings.record import FindingsRecord
from reports.pages.findings.account import COMMAND, Section, account_of
from reports.tables.markdown import escaped, markdown_of
from reports.tables.table import Heading, Table

PICTURES = "findings"
"""The folder of the pictures, beside the page."""


def files(record: FindingsRecord | None) -> Iterator[tuple[str, str]]:
    """(path below docs/, content) of the page and of each picture; the same record gives the same bytes."""
    account = account_of(record, alone=True)
    parts = [
        "# Findings\n",
        f"{_prose(account.lede)}\n",
        f"```\n{COMMAND}      # stopped anywhere, the same command goes on\n```\n",
        markdown_of(Table("", account.table.headings, account.table.rows, notes=account.table.notes)),
        "## How it was run\n",
        *(f"{_prose(paragraph)}\n" for paragraph in account.how),
        "## Each finding\n",
        *(_section(section) for section in account.sections),
    ]
    if account.arms is not None:
        parts.append(markdown_of(account.arms, 2))
    yield "findings.md", "\n".join(parts).rstrip("\n") + "\n"
    for section in account.sections:
        if section.chart is not None:
            yield f"{PICTURES}/{section.id}.svg", section.chart.svg + "\n"


def write(record: FindingsRecord | None, docs: Path) -> list[Path]:
    """Write all of it below `docs`, and take away pictures that are no longer made; returns the files."""
    made: list[Path] = []
    for name, content in files(record):
        made.append(docs / name)
        made[-1].parent.mkdir(parents=True, exist_ok=True)
        made[-1].write_text(content, "utf-8")
    for old in (docs / PICTURES).glob("*.svg"):
        if old not in made:
            old.unlink()
    return made


def _section(section: Section) -> str:
    parts = [f"### {escaped(section.sentence)}\n"]
    facts = tuple(section.facts)
    parts.append(markdown_of(Table("", (Heading("What"), Heading("Value")), facts)))
    if section.chart is not None:
        parts.append(f"![{escaped(section.chart.summary)}]({PICTURES}/{section.id}.svg)\n")
    parts.append(f"{escaped(section.limits)}\n")
    return "\n".join(parts)


def _prose(text: str) -> str:
    """A paragraph of our own, in which backquotes are code."""
    parts = text.split("`")
    return "`".join(part if at % 2 else escaped_words(part) for at, part in enumerate(parts))


def escaped_words(text: str) -> str:
    """Escaped, with the blanks at both ends kept."""
    if not text.strip():
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{escaped(text)}{after}"
