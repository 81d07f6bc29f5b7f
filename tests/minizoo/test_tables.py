"""Tables on a terminal: readable at 80 columns and at 60, whatever the names in them hold; whole off a terminal."""

import itertools

import pytest
from support.terminal import on_terminal

from minizoo.output import Output
from minizoo.table import Column, columns_wide, harmless, lay_out, table_lines

NUMBERS = [Column("task"), Column("value", True, 3), Column("interval", True, 2), Column("n", True)]
ROWS = [["hellaswag", "0.7516", "0.7102 – 0.7901", "10,042"], ["mmlu", "0.5860", "0.5781 – 0.5939", "14,042"]]
COMMANDS = [
    "models",
    "show minitron-4b",
    "prune --parent mistral-nemo-12b --recipe mistral-nemo-minitron-8b --plan-only",
    "bench nano-teacher --dry-run",
]
PROSE = ("├─", "└─", "  a decode step", "Ceilings:", "over the data", "†", "(", "of ", ":")


def shown(width, columns=NUMBERS, rows=ROWS):
    layout = lay_out(columns, rows, width)
    return layout, [line for lines in table_lines(columns, rows, layout) for line in lines]


def test_what_has_room_is_shown_whole():
    layout, lines = shown(80)
    assert layout.left_out == ()
    assert lines[1] == "hellaswag  0.7516  0.7102 – 0.7901  10,042"
    assert lines[2] == "mmlu       0.5860  0.5781 – 0.5939  14,042"


def test_the_least_important_columns_go_first_and_are_named():
    for width, left in ((40, ("n",)), (30, ("interval",)), (24, ("interval", "n")), (12, ("value", "interval", "n"))):
        assert shown(width)[0].left_out == left


@pytest.mark.parametrize("width", range(1, 60))
def test_no_line_is_wider_than_the_terminal_and_no_number_is_broken(width):
    _, lines = shown(width)
    told = "\n".join(lines)
    for number in ("0.7516", "0.7102 – 0.7901", "10,042"):
        assert number in told or number[:4] not in told
    assert max(map(columns_wide, lines)) <= width


def test_words_wrap_at_spaces_and_a_second_column_of_words_always_stays():
    columns = [Column("rule"), Column("finding")]
    rows = [["revision", "the card names no revision of its weights"], ["a-very-long-name-of-a-rule", "short"]]
    layout, lines = shown(40, columns, rows)
    assert layout.left_out == ()
    assert [line[26:] for line in lines[1:4]] == ["the card names", "no revision of", "its weights"]
    assert max(map(len, lines)) <= 40


def test_a_column_without_a_word_takes_no_room_where_there_is_little():
    layout, _ = shown(24, rows=[["hellaswag", "", "", "10,042"]])
    assert (layout.shown, layout.left_out) == ((0, 3), ())


def test_a_table_without_rows_has_its_heading():
    assert shown(80, rows=[])[1] == ["task  value  interval  n"]


HOSTILE = {
    "escape": "\x1b[2J\x1b[31mred",
    "newline": "two\nlines\r\nand\ta tab",
    "bell and C1": "\x07\x9b31m",
    "right to left": "abc\u202edcba\u2066",
    "surrogate": "\udc80half",
    "separator": "a\u2028b",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_stays_in_its_cell(name, capsys):
    Output().table([Column(name), Column("n", True)], [[name, "1"], ["ordinary", "2"]], title=name)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0] == harmless(name)
    assert all(line.isprintable() for line in lines)
    assert lines[2].endswith("  1")
    assert lines[3].endswith("  2")


def test_markup_is_text(capsys):
    Output().table([Column("[bold]model[/bold]")], [["[red]x[/red] [link=http://a]"]], title="[italic]t[/italic]")
    assert capsys.readouterr().out.splitlines() == [
        "[italic]t[/italic]",
        "[bold]model[/bold]",
        "[red]x[/red] [link=http://a]",
    ]


def test_wide_and_combining_characters_are_counted_as_a_terminal_shows_them(capsys):
    Output().table([Column("name"), Column("n", True)], [["模型", "1"], ["e\u0301a", "2"], ["abcd", "3"]])
    assert capsys.readouterr().out.splitlines()[1:] == ["模型  1", "e\u0301a    2", "abcd  3"]
    assert shown(3, [Column("x")], [["模型模"]])[1] == ["x", "模", "型", "模"]


@pytest.fixture(scope="module")
def on_80_and_60():
    return {width: on_terminal(width, *COMMANDS) for width in (80, 60)}


def test_tables_of_the_commands_fit_into_80_and_60_columns(on_80_and_60):
    for width, lines in on_80_and_60.items():
        tables = [line for line in lines if "  " in line.strip() and not any(word in line for word in PROSE)]
        assert len(tables) > 100
        assert [line for line in tables if columns_wide(line) > width] == []
        assert any(line.startswith("No room for: ") for line in lines)


def test_a_long_identifier_is_whole_on_one_line(on_80_and_60):
    for lines in on_80_and_60.values():
        assert sum(line.startswith("llama-3.1-minitron-4b-width-instruct ") for line in lines) == 1
        assert any("8,414,105,600" in line for line in lines)


def test_off_a_terminal_every_column_is_there_and_nothing_wraps(minizoo):
    heading, *lines = itertools.takewhile(bool, minizoo("models").out.splitlines())
    assert {"model", "group", "kind", "parameters", "KV", "KiB/token", "parent", "weights"} <= set(heading.split())
    assert all(len(line.split()) >= 7 for line in lines)
    assert len(lines) > 30
