"""The board in long form: a line a figure and a line a speed-up, with everything that tells figures apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from reports.board.model import Board, BoardRow, Figure, Share, SpeedUp, TaskColumn
from reports.cells import writable

FIGURE_COLUMNS: dict[str, str] = {
    "model": "VARCHAR",
    "display": "VARCHAR",
    "family": "VARCHAR",
    "kind": "VARCHAR",
    "parent": "VARCHAR",
    "parameters": "BIGINT",
    "parent_parameters": "BIGINT",
    "licence": "VARCHAR",
    "commercial": "BOOLEAN",
    "context": "BIGINT",
    "weight_bytes": "BIGINT",
    "kv_bytes_per_token": "BIGINT",
    "state_bytes": "BIGINT",
    "backend": "VARCHAR",
    "dtype": "VARCHAR",
    "hardware": "VARCHAR",
    "quantity": "VARCHAR",
    "task_group": "VARCHAR",
    "task": "VARCHAR",
    "metric": "VARCHAR",
    "filter": "VARCHAR",
    "shots": "BIGINT",
    "higher_is_better": "BOOLEAN",
    "chance": "DOUBLE",
    "source": "VARCHAR",
    "value": "DOUBLE",
    "lower": "DOUBLE",
    "upper": "DOUBLE",
    "approximate": "BOOLEAN",
    "n": "BIGINT",
    "total": "BIGINT",
    "rank": "BIGINT",
    "tied": "BIGINT",
    "against": "VARCHAR",
    "retained": "DOUBLE",
    "retained_lower": "DOUBLE",
    "retained_upper": "DOUBLE",
    "retained_raw": "DOUBLE",
    "retained_source": "VARCHAR",
    "retained_paired": "BOOLEAN",
    "selected_on": "BOOLEAN",
    "verdict": "VARCHAR",
    "conflicts": "BIGINT",
    "printed": "VARCHAR",
    "origin": "VARCHAR",
    "run_id": "VARCHAR",
    "finished_at": "VARCHAR",
    "notes": "VARCHAR",
}
"""Column → its type, by the names of SQL. `quantity` is `score`, or `speed-up`: then `metric` is the rule by which two models
were set side by side, `value` the ratio, and `hardware` where that was. `against` is the parent of both kinds of line; what is
unknown is null; `value`, `lower`, `upper` and `chance` are in the metric's own unit."""


def figure_lines(board: Board) -> Iterator[dict[str, Any]]:
    """A line a figure, in the order of the board's rows and columns, then the row's speed-ups; every key of FIGURE_COLUMNS."""
    nothing = dict.fromkeys(FIGURE_COLUMNS)
    for row in board.rows:
        of_row = nothing | _facts(row)
        for column in board.columns:
            for figure in row.figures.get(column.key, ()):
                yield of_row | _score(column, figure)
        for speedup in row.speedups:
            yield of_row | _speedup(speedup)


NOT_RUN = {"backend": None, "dtype": None, "hardware": None}
"""Of a published figure, which stands in a row of the board without having been run so."""


def finite(value: float | None) -> float | None:
    """The number, or None for what is none: neither JSON nor a table has a word for it."""
    return value if value is not None and math.isfinite(value) else None


def _facts(row: BoardRow) -> dict[str, Any]:
    facts = row.facts
    return {
        "model": writable(facts.id),
        "display": writable(facts.display),
        "family": _known(facts.family),
        "kind": _known(facts.kind),
        "parent": _known(facts.parent),
        "parameters": facts.parameters,
        "parent_parameters": facts.parent_parameters,
        "licence": _known(facts.licence),
        "commercial": facts.commercial,
        "context": facts.context,
        "weight_bytes": facts.weight_bytes,
        "kv_bytes_per_token": facts.kv_bytes_per_token,
        "state_bytes": facts.state_bytes,
        "backend": _known(row.backend),
        "dtype": _known(row.dtype),
        "hardware": _known(row.hardware),
    }


def _score(column: TaskColumn, figure: Figure) -> dict[str, Any]:
    key = column.key
    return {
        "quantity": "score",
        "task_group": column.group,
        "task": _known(key.task),
        "metric": _known(key.metric),
        "filter": _known(key.filter),
        "shots": key.shots,
        "higher_is_better": column.higher_is_better,
        "chance": finite(column.chance),
        "source": figure.source,
        "value": finite(figure.value),
        "lower": finite(figure.lower),
        "upper": finite(figure.upper),
        "approximate": figure.approximate,
        "n": figure.n,
        "total": figure.total,
        "rank": figure.rank,
        "tied": figure.tied or None,
        "selected_on": figure.selected_on,
        "verdict": _known(figure.verdict),
        "conflicts": figure.conflicts,
        "printed": _known(figure.printed),
        "origin": _known(figure.origin),
        "run_id": figure.run_id,
        "finished_at": _known(figure.finished_at),
        "notes": _known("; ".join(figure.notes)),
        **(NOT_RUN if figure.source == "published" else {}),
        **(_share(figure.retained) if figure.retained else {}),
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "against": _known(share.parent),
        "retained": finite(share.value),
        "retained_lower": finite(share.lower),
        "retained_upper": finite(share.upper),
        "retained_raw": finite(share.raw),
        "retained_source": share.source,
        "retained_paired": share.paired,
    }


def _speedup(speedup: SpeedUp) -> dict[str, Any]:
    return {
        "quantity": "speed-up",
        "metric": speedup.rule,
        "higher_is_better": True,
        "source": speedup.source,
        "value": finite(speedup.ratio),
        "lower": finite(speedup.lower),
        "upper": finite(speedup.upper),
        "against": _known(speedup.against),
        "hardware": _known(speedup.hardware),
        "run_id": speedup.run_id,
        "notes": _known(speedup.detail),
    }


def _known(text: str | None) -> str | None:
    """Text without what no file may hold, or None for none."""
    return writable(text) if text else None
