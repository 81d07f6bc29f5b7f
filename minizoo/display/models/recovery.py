"""Recovery on a terminal: what pruning cost a parent and distillation won back, or what to run to know it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minizoo.display.accuracy import or_note
from minizoo.display.tables import show_table
from minizoo.output import Output

if TYPE_CHECKING:
    from harness.records.record import Record
    from harness.recovery.stored import Recovery
    from zoo.checkpoint.model_ref import ModelRef

LOST = "Recovery is not shown"


def recoveries_of_runs(results: Path, records: Sequence[Record]) -> list[Recovery]:
    """Of the families that are whole among these runs: a record of each run is enough."""
    from harness.recovery.family import families
    from harness.recovery.stored import known_of_run, recoveries
    from harness.store.query import Reader
    from zoo.registry.loader import load_registry

    found = families([known_of_run(record) for record in records], load_registry())
    whole = [family for family in found if not family.missing]
    return or_note(lambda: recoveries(Reader(results), whole), LOST) if whole else []


def recoveries_of_model(results: Path, ref: ModelRef) -> list[Recovery]:
    """Of every family that the model is one of, by the newest results in the folder, which is not made where there is none."""
    from harness.recovery.family import families
    from harness.recovery.stored import of_family, stored_recoveries
    from harness.store.query import Reader
    from zoo.registry.loader import load_registry

    registry = load_registry()
    name = str(ref.folder.resolve()) if ref.kind == "folder" and ref.folder else ref.id
    if results.is_dir():
        return or_note(lambda: stored_recoveries(Reader(results), registry, name), LOST)
    return [of_family(family) for family in families((), registry) if family.has(name)]


def committed_recoveries(ref: ModelRef) -> list[Recovery]:
    """As `recoveries_of_model`, by the records that come with the checkout, which are copied and left as they are."""
    from reports.site.committed import copy_committed

    with tempfile.TemporaryDirectory() as work:
        copy_committed(Path(work))
        return recoveries_of_model(Path(work), ref)


def documents(found: Sequence[Recovery]) -> list[dict[str, Any]]:
    """Every family as plain JSON values."""
    from reports.tables.recovery import recovery_document

    return [recovery_document(each) for each in found]


def show_recoveries(output: Output, found: Sequence[Recovery]) -> None:
    """A table a family; of one without results, what to run."""
    from reports.tables.recovery import recovery_table, what_to_run

    for each in found:
        output.text()
        if each.rows:
            show_table(output, recovery_table(each))
        else:
            for line in what_to_run(each):
                output.text(line)


def show_recoveries_as_markdown(output: Output, found: Sequence[Recovery]) -> None:
    """The same tables as Markdown; of one without results, what to run."""
    from reports.tables.recovery import recovery_markdown

    output.text(recovery_markdown(found).rstrip("\n"))
