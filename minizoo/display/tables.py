"""Tables that the pages show as well (`reports.tables`), on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minizoo.output import Column, Output

if TYPE_CHECKING:
    from reports.tables.table import Table


def show_table(output: Output, table: Table) -> None:
    """The table under its title, its notes as lines below."""
    columns = [Column(heading.name, heading.number, heading.importance) for heading in table.headings]
    output.table(columns, table.rows, table.title)
    for line in table.notes:
        output.text(line)
