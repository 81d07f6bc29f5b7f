"""The picture of the lineage: one model framed, names as text, the page's own colours."""

import re

from support.browser import HOSTILE

from reports.charts.lineage import ALONE, ON_PAGE, family_of, lineage_svg
from zoo.registry.lineage import LineageRow, lineage_rows
from zoo.registry.loader import load_registry

ROWS = lineage_rows(load_registry())


def test_one_model_is_framed_and_no_place_is_left_open():
    drawn = lineage_svg(family_of(ROWS, "minitron-8b"), "minitron-8b", ON_PAGE)
    assert drawn.count(f'stroke="{ON_PAGE.mark}"') == 1
    assert "frame-" not in drawn


def test_a_family_is_one_tree_whose_parents_are_in_it():
    family = family_of(ROWS, "llama-3.1-minitron-4b-width")
    assert [row.depth for row in family].count(0) == 1
    assert all(row.parent_row is None or family[row.parent_row].depth == row.depth - 1 for row in family)
    assert "minitron-8b" not in {row.id for row in family}


def test_a_model_without_relatives_has_no_tree():
    assert family_of(ROWS, "gemma-7b") == []


def test_a_picture_on_a_page_has_the_pages_colours_and_is_hidden_from_readers():
    drawn = lineage_svg(family_of(ROWS, "minitron-8b"), "minitron-8b", ON_PAGE)
    assert drawn.startswith('<svg aria-hidden="true"')
    assert set(re.findall(r'(?:stroke|fill)="(#[0-9a-fA-F]+|white|black)"', drawn)) == set()


def test_a_picture_of_its_own_has_colours_of_its_own():
    drawn = lineage_svg(ROWS)
    assert "var(" not in drawn
    assert f'stroke="{ALONE.mark}"' not in drawn


def test_hostile_names_are_text_in_it():
    rows = [LineageRow("a", HOSTILE, HOSTILE, 0, None), LineageRow("b", "x" * 10_000, "\x00", 1, 0)]
    drawn = lineage_svg(rows, "a", ON_PAGE)
    assert "<img" not in drawn
    assert "</script" not in drawn
    assert "x" * 500 not in drawn
