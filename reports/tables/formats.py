"""The board in the forms that programs and other pages take: Markdown, CSV, JSON and Parquet. The same board gives the same
bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from harness.records.columns import arrow_schema
from reports.board.model import Board
from reports.cells import count, moment
from reports.tables.board import LEGEND, board_tables
from reports.tables.figures import FIGURE_COLUMNS, figure_lines
from reports.tables.markdown import escaped, markdown_of

SCHEMA = "minizoo.board/1"
NOTHING = "There is no figure yet: run `minizoo eval nano-teacher`."
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def written(board: Board, form: str) -> str:
    """The board as `markdown`, `json` or `csv` (the keys of FORMS), ending in a newline."""
    return FORMS[form](board)


def board_markdown(board: Board, group: str | None = None) -> str:
    """What is shown and what the signs mean, then the tables of `board_tables`; with `group` those of one task group."""
    head = ["# Leaderboard", "", escaped(counted(board)), "", *(f"- {escaped(line)}" for line in LEGEND)]
    tables = board_tables(board, group)
    empty = [escaped(NOTHING)] if not tables else []
    return "\n".join([*head, "", *empty, *(markdown_of(table, 2) for table in tables)]).rstrip("\n") + "\n"


def counted(board: Board) -> str:
    """How many figures there are of which origin, and of when the newest measurement is."""
    newest = f" The newest record is of {moment(board.newest)} UTC." if board.newest else ""
    models = len({row.facts.id for row in board.rows})
    return (
        f"{count(models)} models; {count(board.measured)} figures measured by minizoo in {count(board.runs)} runs, "
        f"{count(board.imported)} imported or contributed, {count(board.published)} published by others.{newest}"
    )


def board_csv(board: Board) -> str:
    """A line a figure (`figure_lines`) under FIGURE_COLUMNS, RFC 4180. Text that a spreadsheet would take for a formula has an
    apostrophe before it."""
    made = io.StringIO()
    rows = csv.writer(made)
    rows.writerow(FIGURE_COLUMNS)
    rows.writerows([_cell(value) for value in line.values()] for line in figure_lines(board))
    return made.getvalue()


def board_json(board: Board) -> str:
    """One document: the counts, the failures, and a line a figure without what is unknown of it."""
    document = {
        "schema": SCHEMA,
        "newest": board.newest or None,
        "runs": board.runs,
        "counts": {"measured": board.measured, "imported": board.imported, "published": board.published},
        "figures": [{name: value for name, value in line.items() if value is not None} for line in figure_lines(board)],
        "failures": [vars(failure) for failure in board.failures],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def board_parquet(board: Board) -> bytes:
    """A row a figure (`figure_lines`), every column of FIGURE_COLUMNS by its type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table: Any = pa.Table.from_pylist(list(figure_lines(board)), schema=arrow_schema(FIGURE_COLUMNS))
    sink: Any = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


FORMS: Mapping[str, Callable[[Board], str]] = {"markdown": board_markdown, "json": board_json, "csv": board_csv}
"""The forms of text, by the word that asks for them."""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return str(value).lower() if isinstance(value, bool) else repr(value)
