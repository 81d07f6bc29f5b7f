"""The board as Markdown, CSV, JSON and Parquet: everything in it, nothing else, whatever names and numbers it holds."""

import csv
import html
import io
import json
import re

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support import boards
from support.boards import CHOICE, COLUMNS, GSM8K, MMLU, PERPLEXITY

from reports.board.model import Board, Figure
from reports.tables.board import board_tables, figure_text, share_text
from reports.tables.figures import FIGURE_COLUMNS, figure_lines
from reports.tables.formats import FORMS, board_csv, board_json, board_markdown, board_parquet, written
from reports.tables.markdown import escaped, markdown_of
from reports.tables.table import Heading, Table

BOARDS = {"small": boards.small, "empty": boards.empty, "failures": boards.failures, "hostile": boards.hostile}


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def read_parquet(content):
    return pq.read_table(io.BytesIO(content)).to_pylist()


@pytest.mark.parametrize("name", BOARDS)
def test_every_form_has_every_figure_and_the_same_board_the_same_bytes(name):
    one, two = BOARDS[name](), BOARDS[name]()
    lines = list(figure_lines(one))
    assert len(lines) == sum(len(f) for row in one.rows for f in row.figures.values()) + sum(
        len(r.speedups) for r in one.rows
    )
    assert len(read_csv(board_csv(one))) == len(json.loads(board_json(one))["figures"]) == len(lines)
    assert read_parquet(board_parquet(one)) == lines
    for form in FORMS:
        assert written(one, form) == written(two, form)
        written(one, form).encode("utf-8")
    assert board_parquet(one) == board_parquet(two)


def test_a_line_tells_a_figure_from_all_others():
    (line,) = (
        line for line in figure_lines(boards.small())
        if (line["model"], line["task"], line["source"]) == ("nano-cut", "nano_choice", "measured")
    )  # fmt: skip
    assert {name: line[name] for name in ("metric", "filter", "shots", "value", "lower", "upper", "n", "rank", "tied")} == {
        "metric": "acc", "filter": "none", "shots": 3, "value": 0.7, "lower": 0.69, "upper": 0.71, "n": 1000, "rank": 1,
        "tied": 2,
    }  # fmt: skip
    assert (line["against"], line["retained"], line["retained_paired"], line["retained_raw"]) == (
        "nano-teacher",
        0.97,
        True,
        0.98,
    )
    assert (line["backend"], line["dtype"], line["hardware"], line["run_id"]) == (
        "hf",
        "bfloat16",
        boards.CPU,
        boards.RUN,
    )
    assert (line["commercial"], line["context"], line["weight_bytes"]) == (True, 8192, 3_000_000)


def test_a_published_figure_in_the_row_of_a_run_was_not_run_so():
    (line,) = (
        line for line in figure_lines(boards.small())
        if (line["model"], line["task"], line["source"]) == ("nano-cut", "nano_choice", "published")
    )  # fmt: skip
    assert (line["backend"], line["dtype"], line["hardware"], line["run_id"]) == (None, None, None, None)
    assert (line["approximate"], line["printed"], line["notes"]) == (True, "69.0", "by hand")


def test_a_speed_up_is_a_line_of_its_own():
    lines = [line for line in figure_lines(boards.small()) if line["quantity"] == "speed-up"]
    assert [(line["model"], line["metric"], line["value"], line["hardware"], line["against"]) for line in lines] == [
        ("small-8b", "published", 1.6, boards.H100, "big-15b"),
        ("nano-cut", "equal batch", 1.8, boards.CPU, "nano-teacher"),
    ]


def test_what_is_unknown_is_null_and_what_is_no_number_is_none():
    lines = read_parquet(board_parquet(boards.hostile()))
    assert {line["value"] for line in lines} == {None, 0.5, -0.0}
    document = json.loads(board_json(boards.hostile()), parse_constant=pytest.fail)
    assert {figure.get("value") for figure in document["figures"]} == {None, 0.5, -0.0}
    assert {row["value"] for row in read_csv(board_csv(boards.hostile()))} == {"", "0.5", "-0.0"}


def test_parquet_has_a_type_a_column_even_where_nothing_is_in_it():
    schema = pq.read_schema(io.BytesIO(board_parquet(boards.empty())))
    assert schema.names == list(FIGURE_COLUMNS)
    assert (str(schema.field("value").type), str(schema.field("shots").type)) == ("double", "int64")


def test_json_counts_and_names_failures():
    document = json.loads(board_json(boards.failures()))
    assert document["schema"] == "minizoo.board/1"
    assert document["counts"] == {"measured": 0, "imported": 0, "published": 0}
    assert [(one["model"], one["task"]) for one in document["failures"]] == [("nano-teacher", "nano_choice")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_spreadsheet_takes_no_name_for_a_formula(start):
    name = f"{start}HYPERLINK(1)"
    board = Board(COLUMNS, (boards.row(boards.facts(name), {MMLU: (boards.measured(-0.5),)}),))
    (row,) = read_csv(board_csv(board))
    assert row["model"] == f"'{name}"
    assert (row["value"], row["lower"]) == ("-0.5", "-0.51")  # numbers stay numbers


def test_markdown_says_who_measured_and_what_the_data_do_not_separate():
    text = board_markdown(boards.small())
    assert "5 models; 4 figures measured by minizoo in 1 runs, 0 imported or contributed, 6 published by others" in text
    table = next(table for table in board_tables(boards.small()) if table.title == "nano, base models")
    assert [heading.name for heading in table.headings] == [
        "model", "run by", "nano_choice acc, 3-shot ↑", "nano_text word_perplexity, 0-shot ↓",
    ]  # fmt: skip
    assert {row[0]: row[2] for row in table.rows} == {
        "nano-teacher": "0.7100 [0.7000, 0.7200] #1=",
        "nano-cut": "0.7000 [0.6900, 0.7100] #1=; 0.6900 ~[0.6800, 0.7000] p",
    }
    assert "200/1,000" in {row[0]: row[3] for row in table.rows}["nano-cut"]


def test_base_and_instruct_models_stand_in_tables_of_their_own():
    titles = [table.title for table in board_tables(boards.small(), "paper")]
    assert titles == ["paper, base models", "paper, base models: kept of the parent", "paper, instruct models"]


def test_shares_of_the_parent_stand_with_interval_and_ratio():
    (table,) = (table for table in board_tables(boards.small(), "nano") if "kept" in table.title)
    assert [row[-1] for row in table.rows] == ["97.0 % [93.0, 101.0], ratio 0.980"]
    unpaired = boards.small().rows[1].figures[MMLU][0].retained
    assert share_text(unpaired) == "92.6 % ~[91.0, 94.2] p, ratio 0.940"


def test_speed_ups_and_failures_stand_at_the_end():
    (table,) = (table for table in board_tables(boards.small()) if table.title == "Speed-ups")
    assert [row[4] for row in table.rows] == ["1.60× p", "1.80× [1.70, 1.90]"]
    assert "the device ran out of memory" in board_markdown(boards.failures())


def test_an_empty_board_says_what_to_run():
    assert "minizoo eval nano-teacher" in board_markdown(boards.empty())
    assert board_tables(boards.empty()) == ()


@pytest.mark.parametrize("source", ["measured", "imported", "contributed", "published"])
def test_each_source_has_a_mark_of_its_own(source):
    others = {figure_text(Figure(each, 0.5)) for each in ("measured", "imported", "contributed", "published")}
    assert len(others) == 4
    assert figure_text(Figure(source, 0.5)) in others


def rendered(text):
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def test_hostile_names_stay_text_in_markdown():
    shown = rendered(board_markdown(boards.hostile()))
    assert "<img" not in shown
    assert "</script" not in shown
    assert "\u202e" not in shown


@given(st.lists(st.text(), min_size=1, max_size=3), st.text())
def test_any_text_is_shown_letter_by_letter_in_its_own_cell(cells, title):
    table = Table(title, tuple(Heading(f"h{at}") for at in range(len(cells))), (tuple(cells),))
    shown = rendered(markdown_of(table))
    found = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", shown, re.DOTALL)]
    assert [plain(cell) for cell in found] == [plain(html.unescape(rendered_cell(cell))) for cell in cells]


def plain(text):
    return " ".join(text.replace("\u200b", "").split())


def rendered_cell(text):
    """What a cell should show: the text on one line, with U+FFFD for what no file may hold."""
    from reports.cells import writable
    from reports.tables.markdown import UNSEEN

    return html.escape(" ".join(UNSEEN.sub("\ufffd", writable(text)).split()))


def test_a_name_is_no_mention_and_no_reference():
    assert escaped("@someone #12 www.x.y http://z") == "\\@\u200bsomeone \\#12 www\\.x.y http\\://z"


def test_a_wide_board_is_written_whole():
    board = boards.wide(models=20, tasks=30, hardware=2)
    assert len(list(figure_lines(board))) == 20 * 2 * 30 + sum(len(row.speedups) for row in board.rows)
    assert board_markdown(board).count("\n| model") >= 20 * 2


def test_columns_keep_the_boards_order():
    keys = [line["task"] for line in figure_lines(boards.small()) if line["model"] == "nano-cut" and line["task"]]
    assert keys == [CHOICE.task, CHOICE.task, PERPLEXITY.task]
    assert [line["task"] for line in figure_lines(boards.small()) if line["model"] == "big-15b"] == [
        MMLU.task,
        GSM8K.task,
    ]
