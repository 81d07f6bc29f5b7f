"""The part of a model's page that says what pruning cost its family and distillation won back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.recovery.row import ROLES
from harness.recovery.stored import Recovery, stored_recoveries
from reports.charts import recovery as picture
from reports.charts.style import Chart
from reports.models.grid import Cell, Column, Grid, Target, grid, short
from reports.site.input import SiteInput
from reports.tables.recovery import recovery_table


@dataclass(frozen=True)
class Section:
    """A family: its three models, the picture and the table."""

    models: tuple[tuple[str, Cell], ...]
    """(role, the model with its page)."""
    table: Grid
    chart: Chart | None


def recovery_sections(site: SiteInput) -> Mapping[str, Sequence[Section]]:
    """Model (by its shown name) → the families that it is one of, of those that have results of all three."""
    found: dict[str, list[Section]] = defaultdict(list)
    for each in stored_recoveries(site.reader, site.registry):
        if (section := _section(each)) is not None:
            for role in ROLES:
                found[each.name(role)].append(section)
    return found


def _section(found: Recovery) -> Section | None:
    table = recovery_table(found)
    rows = [[Cell(short(text)) for text in row] for row in table.rows]
    columns = [Column(heading.name, heading.number) for heading in table.headings]
    made = grid(table.title, columns, rows, table.notes)
    if made is None:
        return None
    shares = [
        picture.Share(row.key.task, row.recovered.value, row.recovered.lower, row.recovered.upper)
        for row in found.rows
        if row.is_primary and row.recovered is not None
    ]
    models = tuple((role, Cell(short(found.name(role)), to=Target("model", found.name(role)))) for role in ROLES)
    return Section(models, made, picture.draw(shares))
