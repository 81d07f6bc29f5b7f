"""The first screen's picture."""

import math
import re
from dataclasses import replace

import pytest
from support.boards import GSM8K, MMLU, empty, facts, failures, hostile, published, row, small, wide

from reports.board.model import Board, Share
from reports.charts.first import picture
from reports.charts.first_lines import MOST_LINES


def test_measured_and_published_shares_have_their_own_marks() -> None:
    measured, published = picture(small(), "nano"), picture(small(), "paper")
    assert measured is not None
    assert published is not None
    assert measured.kept
    assert published.kept
    assert 'fill="var(--paper)"' not in measured.wide.svg
    assert 'fill="var(--paper)"' in published.wide.svg
    assert "nano-cut" in measured.wide.svg
    assert "50 %" in measured.wide.svg
    assert "53 %" not in published.narrow.svg  # the narrow one has no panel of sizes
    assert measured.wide.summary.startswith(
        "How much of its parent's score above chance a model keeps on nano_choice, "
    )


def test_scores_are_drawn_where_no_share_is_known() -> None:
    alone = replace(small(), rows=small().rows[:1])
    drawn = picture(alone, "paper")
    assert drawn is not None
    assert not drawn.kept
    assert "big-15b" in drawn.wide.svg


@pytest.mark.parametrize("board", [empty(), failures()])
def test_nothing_is_drawn_of_nothing(board: Board) -> None:
    assert picture(board, "paper") is None


def test_pictures_are_the_same_each_time_and_share_no_id() -> None:
    once, again = picture(small(), "nano"), picture(small(), "nano")
    other = picture(small(), "paper")
    assert once == again
    assert once is not None
    assert other is not None
    ids = [re.findall(r'id="([^"]*)"', svg) for svg in (once.wide.svg, once.narrow.svg, other.wide.svg)]
    assert ids[0]
    flat = [each for its in ids for each in its]
    assert len(flat) == len(set(flat))
    used = set(re.findall(r"url\(#([^)]*)\)", once.wide.svg))
    assert used <= set(ids[0])


def test_a_large_board_gives_a_small_picture() -> None:
    board = wide(models=60, tasks=4, hardware=2)
    drawn = picture(board, "group-0")
    assert drawn is not None
    assert len(set(re.findall(r"model-\d+", drawn.wide.svg))) <= MOST_LINES
    assert len(drawn.wide.svg) < 60_000


def test_hostile_names_and_what_is_no_number_are_drawn_as_text_or_not_at_all() -> None:
    drawn = picture(hostile(), "other")
    assert drawn is not None
    assert "<img" not in drawn.wide.svg
    assert "\u202e" not in drawn.wide.svg + drawn.wide.summary
    assert "NaN" not in drawn.wide.svg


def test_an_endless_interval_does_not_stretch_the_picture() -> None:
    row = small().rows[1]
    figure = row.figures[MMLU][0]
    assert figure.retained is not None
    wild = replace(figure, retained=replace(figure.retained, lower=-math.inf, upper=math.inf))
    drawn = picture(replace(small(), rows=(replace(row, figures={MMLU: (wild,)}),)), "paper")
    assert drawn is not None
    assert "Infinity" not in drawn.wide.svg


def test_a_column_in_which_no_line_has_a_point_is_not_drawn() -> None:
    """A model as large as its parent is no line, so what it alone kept is no column, in the narrow picture too."""
    kept = Share("big", 0.9, 0.8, 1.0, 0.9, "published")
    alike = facts("alike", parent="big", parent_parameters=4_000_000_000)
    child = facts("child", parent="big", parent_parameters=9_000_000_000)
    rows = (row(alike, {MMLU: (published(0.6, retained=kept),)}), row(child, {GSM8K: (published(0.5, retained=kept),)}))
    drawn = picture(replace(small(), rows=rows), "paper")
    assert drawn is not None
    assert drawn.tasks == 1
    assert all("gsm8k" in chart.summary and "mmlu" not in chart.summary for chart in (drawn.wide, drawn.narrow))
