"""The picture of accuracy against speed: everything in its panel, no name over another, the same bytes from the same panels."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.browser import HOSTILE

from reports.charts.frontier import HEIGHT, WIDTH, Mark, Panel, draw, shows_chance
from reports.charts.gpus import GpuLine
from reports.charts.gpus import draw as draw_gpus
from reports.charts.labels import PLACES, Box, Label, placed
from reports.charts.plane import Axis, log_axis, plain_axis, tick_text

MARKS = (
    Mark("slow and good", 100.0, 0.7, "measured", False, (90.0, 110.0), (0.69, 0.71)),
    Mark("fast", 400.0, 0.6, "limit", True, None, (0.58, 0.62)),
    Mark("beaten", 99.0, 0.5, "imported", False),
)
PANEL = Panel("mmlu, 5-shot acc", MARKS, (((100.0, 0.7),), ((400.0, 0.6),)), 0.25)
positive = st.floats(1e-6, 1e9)


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_names_ticks_and_titles_are_text_and_marks_are_of_four_shapes():
    svg = draw([PANEL], "output tokens/s")
    assert {"slow and good", "fast", "beaten", "output tokens/s", "mmlu, 5-shot acc", "200"} <= set(texts(svg))
    assert svg.startswith('<svg aria-hidden="true" focusable="false" ')
    assert "var(--accent)" in svg
    assert "var(--paper)" in svg


def test_guessing_has_a_line_where_the_panel_reaches_down_to_it():
    low = replace(PANEL, marks=(*MARKS, Mark("guesses", 50.0, 0.24, "measured", False)))
    assert [shows_chance(panel) for panel in (PANEL, low, replace(low, chance=None))] == [False, True, False]
    assert draw([low], "x").count("<line") == draw([replace(low, chance=None)], "x").count("<line") + 1


def test_no_panels_are_no_picture():
    assert draw([], "output tokens/s") == ""
    assert draw_gpus([GpuLine("L4", None, None)]) == ""


def test_the_same_panels_give_the_same_bytes():
    assert draw([PANEL, PANEL], "x") == draw([PANEL, PANEL], "x")


@pytest.mark.parametrize("name", [HOSTILE, "n" * 10_000, "\u202egnp.exe", "a\x00b\ud800"])
def test_whatever_a_model_is_called_stays_text(name: str):
    mark = Mark(name, 100.0, 0.5, "measured", False)
    svg = draw([Panel(name, (mark,), ((), ()))], "x")
    plain = draw([Panel("plain", (Mark("plain", 100.0, 0.5, "measured", False),), ((), ()))], "x")
    assert "<img" not in svg
    assert len(svg) < 2 * len(plain)
    assert svg.encode()


def test_a_picture_is_as_wide_as_its_panels_and_not_wider():
    def size(svg: str) -> tuple[int, int]:
        found = re.search(r'width="(\d+)" height="(\d+)"', svg)
        assert found
        return int(found.group(1)), int(found.group(2))

    one, four = size(draw([PANEL], "x")), size(draw([PANEL] * 4, "x"))
    assert one[0] <= 375
    assert four == (3 * one[0], 2 * one[1])


@given(st.lists(positive, min_size=1, max_size=8))
def test_a_log_axis_holds_its_values_and_its_ticks_are_a_few_round_numbers(values: list[float]):
    axis = log_axis(values, 0, WIDTH)
    assert all(0 < axis.pixel(value) < WIDTH for value in values)
    assert 1 <= len(axis.ticks()) <= 8
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks())
    assert len({tick_text(tick) for tick in axis.ticks()}) == len(axis.ticks())


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.lists(st.floats(-1e9, 1e9), max_size=4))
def test_a_plain_axis_holds_its_values_however_far_their_intervals_reach(values: list[float], ends: list[float]):
    axis = plain_axis(values, ends, HEIGHT, 0)
    assert all(0 <= axis.pixel(value) <= HEIGHT for value in (*values, *ends))
    assert all(axis.low <= value <= axis.high for value in values)
    assert 2 <= len(axis.ticks()) <= 8


def test_what_lies_beyond_an_axis_is_drawn_at_its_end():
    assert Axis(0, 1, 100, 200).pixel(7) == 200
    assert Axis(1, 100, 0, 10, log=True).pixel(10) == 5


@given(
    st.lists(
        st.tuples(st.integers(0, WIDTH), st.integers(0, HEIGHT), st.text("abc", min_size=1, max_size=30)), max_size=25
    )
)
def test_no_name_lies_over_another_or_over_the_mark_of_another(drawn: list[tuple[int, int, str]]):
    labels = [Label(name, x, y) for x, y, name in drawn]
    marks = [Box.around(label.x, label.y, 5) for label in labels]
    found = placed(labels, marks, [], (WIDTH, HEIGHT), 10)
    boxes = {
        at: Box(
            left := labels[at].x
            + dx
            - {"left": 0, "center": 0.5, "right": 1}[align] * (width := 5.6 * len(labels[at].text)),
            labels[at].y + dy - 6,
            left + width,
            labels[at].y + dy + 6,
        )
        for (align, dx, dy), members in found.items()
        for at in members
    }
    assert not any(boxes[a].meets(boxes[b]) for a in boxes for b in boxes if a < b)
    assert not any(boxes[a].meets(mark) for a in boxes for at, mark in enumerate(marks) if at != a)
    assert all(box.within(WIDTH, HEIGHT) for box in boxes.values())


def test_a_name_gives_way_to_a_line_and_one_without_room_is_left_out():
    label = Label("name", 100, 100)
    beside = Box.along(100, 100, 200, 100)
    assert PLACES[0] in placed([label], [Box.around(100, 100, 5)], [], (WIDTH, HEIGHT), 10)
    assert PLACES[0] not in placed([label], [Box.around(100, 100, 5)], [beside], (WIDTH, HEIGHT), 10)
    assert placed([label], [Box.around(100, 100, 5)], [Box(0, 0, WIDTH, HEIGHT)], (WIDTH, HEIGHT), 10) == {}


def test_every_gpu_has_a_line_and_what_does_not_fit_no_mark():
    svg = draw_gpus([GpuLine("L4", 36.0, None), GpuLine("H200", 581.0, 319.0, 300.0, None)])
    assert {"L4", "H200"} <= set(texts(svg))
    assert svg.count('stroke="var(--accent)"') == 3


@pytest.mark.parametrize("svg", [draw([PANEL], "x"), draw_gpus([GpuLine("H200", 581.0, 319.0, 300.0, None)])])
def test_every_colour_is_the_pages_so_that_it_follows_light_and_dark(svg: str):
    given = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg))
    assert given <= {"currentColor", "var(--accent)", "var(--paper)", "none", "transparent"}
