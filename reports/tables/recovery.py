"""What pruning cost and distillation won back, as a table and as plain data: terminal, pages and Markdown share the cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from harness.metrics.task_metadata import metadata_of
from harness.records.trained_on import MARK, TRAINED_ON
from harness.recovery.row import ROLES, Change, GoldRecovery, RecoveryRow
from harness.recovery.standing import Standing
from harness.recovery.stored import Recovery
from harness.stats.paired.recovered import Recovered
from reports.cells import ABSENT, number
from reports.tables.markdown import escaped, markdown_of
from reports.tables.table import Heading, Key, Table
from zoo.registry.loader import load_registry

ARROW = " → "
SELECTED = "† the task was used to choose a shape of these models: the score was not blind to the choice."
WHAT_IT_IS = (
    "Won back: (distilled − pruned) / (parent − pruned) on the documents that all three have, with Fieller's 95 % interval "
    "from the paired documents, by cluster where they share one. Of perplexities it is of log-likelihoods."
)
HEADINGS = (
    Heading("task", importance=9), Heading("metric", importance=3), Heading("parent", True, 6), Heading("pruned", True, 6),
    Heading("distilled", True, 6), Heading("above chance, or nats", True, 2), Heading("won back", True, 8),
    Heading("95 % interval", True, 7), Heading("log p of the right answer", True, 1), Heading("of it won back", True, 5),
    Heading("n", True, 1),
)  # fmt: skip
"""Where three numbers stand in a cell they are of parent, pruned and distilled, in this order."""


def recovery_table(found: Recovery) -> Table:
    """A row a task, by the metric that stands for it; what has no number says why in a note."""
    parent, pruned, distilled = (found.name(role) for role in ROLES)
    title = f"Recovery: {distilled} (distilled) beside {pruned} (pruned) and {parent} (parent)"
    rows = [row for row in found.rows if row.is_primary]
    selected = selected_tasks(found)
    cells = tuple(row_cells(row, selected) for row in rows)
    return Table(title, HEADINGS, cells, [_keys(row) for row in rows], tuple(_notes(found, rows, selected)))


def row_cells(row: RecoveryRow, selected: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The cells of a row under HEADINGS."""
    marks = f"{' †' if is_selected(row, selected) else ''}{f' {MARK}' if row.trained_on else ''}"
    metric = row.key.metric if row.key.filter in ("", "none") else f"{row.key.metric}, {row.key.filter}"
    share, gold = row.recovered, row.gold
    return (
        f"{row.key.task}{marks}",
        metric,
        *(ABSENT if each is None else number(each.value) for each in row.standings()),
        _beyond(row),
        row.status if share is None else percent(share.value),
        "" if share is None else _ends(share),
        ABSENT if gold is None else ARROW.join(f"{value:.3f}" for value in (gold.parent, gold.pruned, gold.distilled)),
        ABSENT if gold is None else gold_words(gold),
        f"{row.n:,}" if row.n else ABSENT,
    )


def gold_words(gold: GoldRecovery) -> str:
    """`77.5 % [74.1, 80.9]`, or why there is no number."""
    return gold.status if gold.recovered is None else f"{percent(gold.recovered.value)} {_ends(gold.recovered)}"


def percent(share: float) -> str:
    """A share as percent with one decimal, whatever lies beyond 0 and 100."""
    return f"{100 * share:.1f} %"


def is_selected(row: RecoveryRow, selected: frozenset[str]) -> bool:
    """Whether the task chose the shape of one of the models."""
    return row.key.task in selected or (metadata_of(row.key.task).published or row.key.task) in selected


def selected_tasks(found: Recovery) -> frozenset[str]:
    """The tasks whose scores chose the shape of the pruned or the distilled model, where they are of the registry."""
    models = load_registry().models
    entries = [models.get(found.family.pruned.word), models.get(found.family.distilled.word)]
    chosen = [entry.lineage.selection for entry in entries if entry and entry.lineage]
    return frozenset(task for selection in chosen if selection for task in selection.tasks)


def recovery_document(found: Recovery) -> dict[str, Any]:
    """The family with every row, of all metrics, as plain JSON values."""
    names = {role: found.name(role) for role in ROLES}
    rows = [_row_document(row) for row in found.rows]
    return {**names, "rows": rows, "commands": list(found.commands), "notes": list(found.notes)}


def recovery_markdown(found: Sequence[Recovery]) -> str:
    """The tables as Markdown, one after the other, then what they show; of a family without results, what to run. Ends in a
    newline."""
    parts = [_one_markdown(each) for each in found]
    told = [f"{escaped(WHAT_IT_IS)}\n"] if any(each.rows for each in found) else []
    return "\n".join([*parts, *told]) or "\n"


def _one_markdown(found: Recovery) -> str:
    if not found.rows:
        return "\n".join(escaped(line) for line in what_to_run(found)) + "\n"
    table = recovery_table(found)
    return markdown_of(replace(table, notes=tuple(note for note in table.notes if note != WHAT_IT_IS)), 4)


def what_to_run(found: Recovery) -> list[str]:
    """Lines that say whose results are missing and how to get them, or why nothing is shown."""
    distilled = found.name("distilled")
    if not found.commands:
        return [f"Recovery of {distilled}: {note}." for note in found.notes]
    told = f"Recovery of {distilled} needs results of all three; to measure what is missing:"
    return [told, *(f"  {command}" for command in found.commands), *(f"({note})" for note in found.notes)]


def _row_document(row: RecoveryRow) -> dict[str, Any]:
    document = asdict(row)
    del document["key"]
    return {"task": row.key.task, "metric": row.key.metric, "filter": row.key.filter, **document}


def _beyond(row: RecoveryRow) -> str:
    """How far each is above chance; of perplexities and bits, nats a unit of text."""
    told = [each for each in row.standings() if each is not None]
    if told and all(each.nats is not None for each in told):
        return ARROW.join(f"{each.nats:.3f}" for each in told) + f" nats{_unit(row)}"
    if told and all(each.above is not None for each in told):
        return ARROW.join(number(each.above) for each in told)
    return "chance unknown" if told else ABSENT


def _unit(row: RecoveryRow) -> str:
    """What a perplexity counts by, as its name says."""
    return next((f" a {unit}" for unit in ("word", "byte") if unit in row.key.metric), "")


def _ends(share: Recovered) -> str:
    if share.lower is None or share.upper is None:
        return "[every document alike]"
    return f"[{100 * share.lower:.1f}, {100 * share.upper:.1f}]"


def _keys(row: RecoveryRow) -> tuple[Key, ...]:
    share, gold = row.recovered, row.gold
    gold_share = gold.recovered.value if gold and gold.recovered else None
    return (
        row.key.task, row.key.metric, *(each.value if each else None for each in row.standings()),
        _first(row.distilled), share.value if share else None, share.lower if share else None,
        gold.distilled if gold else None, gold_share, row.n,
    )  # fmt: skip


def _first(standing: Standing | None) -> Key:
    if standing is None:
        return None
    return standing.above if standing.nats is None else standing.nats


def _notes(found: Recovery, rows: list[RecoveryRow], selected: frozenset[str]) -> Iterator[str]:
    yield WHAT_IT_IS
    for row in rows:
        if row.recovered is None:
            yield f"{row.key.task}: {row.status}: {row.why}{_loss(row.loss) if row.status == 'nothing lost' else ''}."
    for row in rows:
        yield from (f"{row.key.task}: {note}." for note in row.notes)
        if row.trained_on:
            who = " and ".join(found.name(role) for role in row.trained_on)
            yield f"{row.key.task}: {who} {'was' if len(row.trained_on) == 1 else 'were'} trained on its text."
    if any(is_selected(row, selected) for row in rows):
        yield SELECTED
    if any(row.trained_on for row in rows):
        yield TRAINED_ON
    yield from (f"{note}." for note in found.notes)


def _loss(loss: Change | None) -> str:
    if loss is None:
        return ""
    ends = "" if loss.lower is None or loss.upper is None else f" [{number(loss.lower)}, {number(loss.upper)}]"
    return f" (loss {number(loss.value)}{ends})"
