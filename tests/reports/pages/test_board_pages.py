"""The leaderboard's pages as text: what stands in them, and what they cost."""

import re
from dataclasses import replace
from typing import Any

import pytest
from support.boards import CPU, GSM8K, MMLU, RUN, empty, facts, failures, hostile, measured, row, site, small, wide
from support.browser import HOSTILE
from support.report_pages import Page

from reports.board.model import Board, ColumnKey, TaskColumn
from reports.pages.board import MOST_FIGURES, MOST_ROWS, cut, pages, title_of
from reports.pages.single import single_file
from reports.site.addresses import board_page, slug

MOST_BYTES = 2_000_000


def made(board: Board, **changes: Any) -> dict[str, str]:
    return dict(pages(site(board, **changes)))


def cells(html: str, model: str) -> str:
    """The text of a model's row."""
    return next(" ".join(cell) for cell in map(tuple, Page(html).rows) if cell and cell[0].startswith(model))


def test_the_answer_and_the_picture_come_before_any_table() -> None:
    html = made(small())["index.html"]
    assert html.index("keeps <strong>97.0") < html.index("<svg") < html.index("<table")
    assert re.search(r"<b>4</b> <i class=\"source measured word\">", html)
    assert re.search(r"<b>6</b> <i class=\"source published word\">", html)


def test_each_cell_has_its_interval_source_place_and_way_to_its_run() -> None:
    html = made(small())["board/nano.html"]
    assert "#1–20.7000measured0.6900–0.710097.0" in cells(html, "nano-cut")
    assert f'<a class="value" href="../runs/{slug(RUN)}.html">0.7000</a>' in html
    assert "97.0\u00a0%</a> <span>(93.0–101.0)</span>" in html


def test_published_cells_have_an_approximate_interval_and_no_place() -> None:
    told = cells(made(small())["board/paper.html"], "small-8b")
    assert "≈ 0.6350–0.6550" in told
    assert "#" not in told
    assert "†" in told


def test_a_part_of_a_task_says_so() -> None:
    assert "200 of 1,000" in cells(made(small())["board/nano.html"], "nano-cut")


def test_headings_have_metric_shots_and_direction() -> None:
    head = Page(made(small())["board/nano.html"]).rows[0]
    assert "nano_choice ↑acc · 3-shot" in head
    assert "nano_text ↓word_perplexity · 0-shot" in head


def test_same_board_gives_the_same_bytes() -> None:
    assert made(small()) == made(small())
    assert single_file(site(small())) == single_file(site(small()))


@pytest.mark.parametrize("board", [empty(), failures(), replace(small(), rows=small().rows[2:3])])
def test_boards_with_little_on_them_say_what_to_run(board: Board) -> None:
    assert re.search("<(code|pre)>minizoo eval --model ", made(board)["index.html"])


def test_facts_that_no_row_has_get_no_column() -> None:
    told = made(small())
    names = {
        group: re.findall(r'<th scope="col" data-col="(\w+)"', told[f"board/{group}.html"])
        for group in ("nano", "paper")
    }
    assert names["nano"] == ["model", "size", "speed", "memory", "context", "licence"]
    assert names["paper"] == ["model", "size", "speed", "tokens", "memory", "context", "licence"]
    for group in names:
        heads, *rows = [row for row in Page(told[f"board/{group}.html"]).rows if len(row) > 1]
        assert {len(row) for row in rows} == {len(heads)}


def test_failures_stand_apart_with_their_reason() -> None:
    html = made(failures())["index.html"]
    assert "1 task failed when last run" in html
    assert "the device ran out of memory" in html


def test_hostile_names_stay_text_on_every_page() -> None:
    for html in [*made(hostile()).values(), single_file(site(hostile()))]:
        assert HOSTILE not in html
        assert "n" * 301 not in html.replace(slug("n" * 10_000), "")
        assert "\x00" not in html
        assert all(tag != "img" for tag, _ in Page(html).elements)
        assert all("onerror" not in attributes for _, attributes in Page(html).elements)


def test_a_group_that_fits_no_page_is_cut_by_hardware() -> None:
    board = wide(models=60, tasks=3, hardware=6)
    told = made(board)
    assert set(told) == {"index.html", "board/group-0.html", *(f"board/group-0-page-{at}.html" for at in range(2, 7))}
    second = told["board/group-0-page-2.html"]
    assert second.count("<tr data-m") == 60
    assert second.count('data-hw="NVIDIA GPU 1" data-be') == 60
    assert "Rows 61–120 of 360" in second


def test_what_was_measured_is_told_first_where_no_share_of_a_parent_is_known() -> None:
    alone = replace(small(), rows=tuple(row for row in small().rows if row.facts.id != "nano-cut"))
    told = Page(made(alone)["index.html"]).text
    assert told.index("Measured here: nano-teacher.") < told.index("By published figures")
    assert "Measured here: nano" not in Page(made(small())["index.html"]).text


def test_a_page_of_a_group_is_never_the_page_of_another_group() -> None:
    assert board_page("other", 2) != board_page("other-2")


def test_five_thousand_rows_are_all_on_some_page_once() -> None:
    key = ColumnKey("t", "acc", "", 0)
    rows = tuple(row(facts(f"m{at}"), {key: (measured(0.5),)}, backend="hf", hardware=CPU) for at in range(5_000))
    told = made(Board((TaskColumn(key, "paper", True, None),), rows))
    found = [
        name
        for address, html in told.items()
        if address != "index.html"
        for name in re.findall(r'data-m="(m\d+)"', html)
    ]
    assert sorted(found) == sorted(f"m{at}" for at in range(5_000))
    assert max(html.count("<tr data-m") for html in told.values()) <= MOST_ROWS


def test_the_largest_pages_stay_under_two_megabytes() -> None:
    board = wide(models=260, tasks=12, hardware=1)
    both = tuple(
        replace(each, figures={key: (*told, *told) for key, told in each.figures.items()}) for each in board.rows
    )
    told = made(replace(board, rows=both))
    assert max(len(html.encode()) for html in told.values()) <= MOST_BYTES
    assert len(single_file(site(replace(board, rows=both))).encode()) <= MOST_BYTES


def test_rows_of_a_group_stand_by_the_worse_end_of_its_first_column() -> None:
    rows = tuple(
        row(facts(name), {MMLU: (measured(value, half),)} if value else {GSM8K: (measured(0.1),)})
        for name, value, half in (("none", 0.0, 0.0), ("lucky", 0.7, 0.3), ("sure", 0.6, 0.01), ("low", 0.2, 0.01))
    )
    html = made(replace(small(), rows=rows))["board/paper.html"]
    assert re.findall(r'data-m="(\w+)"', html) == ["sure", "lucky", "low", "none"]


def test_pieces_keep_all_rows_in_order_within_both_limits() -> None:
    rows = wide(models=70, tasks=2, hardware=2).rows
    keys = tuple(rows[0].figures)
    pieces = cut(rows, keys, 30)
    assert [each for piece in pieces for each in piece] == list(rows)
    assert {len(piece) for piece in pieces} == {15, 5}
    assert cut(rows, keys, 1)[0] == (rows[0],)
    assert cut((), keys, MOST_FIGURES) == [()]


def test_rows_without_a_figure_in_the_group_are_counted_not_shown() -> None:
    html = made(small())["board/nano.html"]
    assert 'data-m="small-8b"' not in html
    assert "3 models have no figure on these tasks." in html


def test_one_file_leads_to_no_other_page_and_has_the_runs_behind_it() -> None:
    run = {
        "run_id": RUN,
        "model": "nano-cut",
        "command": "minizoo eval --model nano-cut",
        "versions": '{"torch": "2.13.0"}',
    }

    class Reader:
        def rows(self, sql: str) -> list[dict[str, Any]]:
            return [run] if "FROM runs" in sql else []

    html = single_file(site(small(), reader=Reader()))
    links = [attributes.get("href") or "#" for tag, attributes in Page(html).elements if tag == "a"]
    assert [link for link in links if not link.startswith("#")] == []
    assert f"#run-{slug(RUN)}" in links
    assert {link[1:] for link in links} - {""} <= {attributes.get("id") for _, attributes in Page(html).elements}
    assert "minizoo eval --model nano-cut" in html
    assert "torch 2.13.0" in html


def test_a_run_that_is_not_in_the_store_is_no_link_of_one_file() -> None:
    assert 'href="#run-' not in single_file(site(small()))


def test_groups_of_other_tasks_are_numbered() -> None:
    assert title_of("other-2") == "Other tasks, part 2"
    assert title_of("made-up") == "made-up"


def test_unknown_is_a_value() -> None:
    chat = cells(made(small())["board/paper.html"], "small-8b-chat")
    assert "commercial use unknown" in chat
    assert 'data-lic="unknown"' in made(small())["board/paper.html"]
    assert MMLU.task in made(small())["board/paper.html"]
