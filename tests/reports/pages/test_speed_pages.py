"""The speed pages: no GPU's is empty, what is measured is told from what is allowed, and each opens as it is."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.boards import GSM8K, MMLU, empty, facts, hostile, measured, published, row, small
from support.browser import HOSTILE, opened, scrolls_sideways, violations
from support.report_pages import Page
from support.speed_rows import A100, FIGURES, everything, figure, page_of, point, ratio, speed_site

from reports.board.model import Board, SpeedUp, TaskColumn
from reports.speed.section import SpeedRows
from zoo.arch.gpus import load_gpus

NAMES = ("index", "a100-80-sxm", "l4", "crowd", "hostile")
COLUMNS = (TaskColumn(MMLU, "paper", True, 0.25), TaskColumn(GSM8K, "paper", True, 0.0))
PAIR = Board(
    COLUMNS,
    (
        row(facts("minitron-4b", parent="nemotron-4-15b"), {MMLU: (measured(0.58),), GSM8K: (published(0.24),)}),
        row(facts("minitron-8b"), {MMLU: (measured(0.63),), GSM8K: (published(0.51),)}),
        row(facts("nemotron-4-15b"), {MMLU: (published(0.64),)}),
        row(facts("nemotron-mini-4b-instruct", kind="instruct"), {MMLU: (published(0.5),)}),
        row(facts("minitron-4b-fp8", kind="instruct"), {MMLU: (published(0.49),)}),
    ),
)
TWO = SpeedRows(
    points=[point(), point(model="minitron-8b", run_id="8b")],
    figures=[*FIGURES, *(figure(f["metric"], 0.5 * f["value"], run_id="8b") for f in FIGURES)],
    ratios=[ratio()],
)


def many(models: int, batches: int = 2) -> tuple[SpeedRows, Board]:
    """So many models, each timed at so many batches and scored on eight tasks."""
    drawn = random.Random(3)
    names = [f"model-{number:03}" for number in range(models)]
    columns = tuple(TaskColumn(MMLU._replace(task=f"task-{at}"), "other", True, 0.25) for at in range(8))
    rows = [row(facts(name), {c.key: (measured(drawn.uniform(0.3, 0.9)),) for c in columns}) for name in names]
    points = [point(model=name, run_id=f"{name}-{2**at}", batch=2**at) for name in names for at in range(batches)]
    figures = [
        figure(metric, drawn.uniform(0.1, 900), run_id=each["run_id"])
        for each in points
        for metric in ("output_rate", "itl", "ttft", "joules_per_token")
    ]
    ratios = [ratio(model=name, run_id=name, metric=metric) for name in names for metric in ("output_rate", "itl")]
    return SpeedRows(points=points, figures=figures, ratios=ratios), Board(columns, tuple(rows))


def headings(html: str) -> list[str]:
    return re.findall(r"<h[12][^>]*>([^<]*)", html)


def test_no_gpus_page_is_empty_though_nothing_was_timed():
    made = speed_site(SpeedRows(), small())
    assert set(made) == {"speed/index.html", *(f"speed/{name}.html" for name in load_gpus())}
    for address, html in made.items():
        if address != "speed/index.html":
            assert "No model was timed here yet. By its data sheet " in html
            assert "minizoo bench minitron-4b --workload batch1" in html
            assert html.count('<i class="source limit">at most</i>') > 20


def test_a_model_that_fits_where_its_parent_does_not_says_so():
    made = speed_site(SpeedRows(), PAIR)
    rows = Page(made["speed/a30.html"]).rows
    (child,) = [cells for cells in rows if cells[0] == "Minitron-8B-Base" and len(cells) == 8]
    (parent,) = [cells for cells in rows if cells[0] == "Nemotron-4-15B"]
    assert (child[4], child[-1]) == ("parent does not fit", "parent does not fit")
    assert parent[-1] == "does not fit into 24 GB"
    fits = Page(made["speed/h200.html"]).rows
    assert next(cells for cells in fits if cells[0] == "Minitron-8B-Base")[4] == "1.94×"


def test_what_was_measured_is_filled_and_what_is_allowed_is_hollow_and_says_at_most():
    html = page_of(TWO, PAIR)
    picture = html[html.index("<svg") : html.index("</svg>")]
    assert picture.count('fill="var(--accent)" stroke="var(--accent)"') == 2  # mmlu of both
    assert picture.count('fill="var(--paper)" stroke="var(--accent)"') == 2  # gsm8k, as published
    assert picture.count('fill="var(--paper)" stroke="currentColor"') == 3  # nemotron-4-15b, and the instruct pair
    table = {tuple(cells[:3]): cells for cells in Page(html).rows if len(cells) > 4}
    assert table["minitron-4b", "base", "hf, bfloat16, random weights"][3:6] == [
        "measured812.50731.25–893.75", "measured0.35000.3150–0.3850", "measured0.58000.5700–0.5900",
    ]  # fmt: skip
    limit = table["nemotron-4-15b", "base", "roofline"]
    assert re.fullmatch(r"at most[\d,]+at most", limit[3])
    assert limit[5] == "published0.6400≈ 0.6300–0.6500"


def test_the_picture_says_in_words_who_stands_on_its_stair():
    html = page_of(TWO, PAIR)
    assert "On the stair, the fastest first: mmlu, 5-shot acc: minitron-4b, minitron-8b;" in html
    assert "Against energy" in headings(html) or "<h3>Against energy</h3>" in html
    assert "no energy counter was read" in page_of(SpeedRows(points=TWO.points, figures=TWO.figures[:1]), PAIR)


def test_the_answer_stands_first_with_its_interval_and_how_it_was_run():
    html = page_of(TWO, PAIR)
    answer = "Fastest of 2 models timed at batch 8, 512 tokens in, 128 out: minitron-4b, 812.50 [731.25–893.75]"
    assert html.index(answer) < html.index("<svg") < html.index("<table")


def test_the_first_page_leads_to_all_others_by_microarchitecture():
    html = speed_site(TWO, PAIR)["speed/index.html"]
    rows = Page(html).rows
    groups = [cells[0] for cells in rows if len(cells) == 1]
    assert groups[:2] == ["Ampere (GA100)", "Ampere (GA10x)"]
    assert groups[-1] == "Blackwell (12.x)"
    for name in load_gpus():
        assert f'href="../speed/{name}.html"' in html
    (timed,) = [cells for cells in rows if cells[0] == "A100 80 GB SXM"]
    assert timed[-2:] == ["2", "2"]
    assert "2 valid points on 1 machine" in html


def test_published_speedups_stand_on_the_pages_of_the_gpus_that_they_name():
    made = speed_site(SpeedRows(), PAIR)
    assert "64 : 32" in made["speed/h100-sxm.html"]
    assert "64 : 32" in made["speed/h100-pcie.html"]
    assert "published-title" not in made["speed/l4.html"]
    assert "64 : 32" not in made["speed/l4.html"]


def test_runs_and_models_are_linked_where_they_have_a_page():
    html = page_of(TWO, PAIR)
    assert 'href="../models/minitron-4b.html"' in html
    assert f'href="../runs/{FIGURES[0]["run_id"]}.html"' in html
    assert 'href="../models/minitron-4b' not in page_of(TWO, empty())


def test_speedups_at_equal_latency_are_the_boards_on_this_hardware():
    up = SpeedUp(A100, "equal latency", 2.5, 2.1, 2.9, "minitron-8b", "measured", "run-1", "hf, at most 20 ms a token")
    elsewhere = replace(up, hardware="NVIDIA L4", ratio=9.0)
    told = replace(PAIR, rows=(replace(PAIR.rows[0], speedups=(up, elsewhere)), *PAIR.rows[1:]))
    html = page_of(TWO, told)
    assert ["minitron-4b", "minitron-8b", "measured2.5000×2.1000–2.9000", "hf, at most 20 ms a token"] in Page(
        html
    ).rows
    assert "9.0000×" not in html
    assert "minitron-4b runs 2.5000 [2.1000–2.9000] times as fast as minitron-8b at equal latency." in html
    assert "At equal latency" not in page_of(TWO, PAIR)
    assert "Most gained" not in page_of(TWO, PAIR)


def test_what_evaluations_took_stands_on_the_page_of_a_processor():
    took = {
        "model": "nano-teacher", "backend": "hf", "dtype": "float32", "compute_dtype": "float32", "tasks": 6,
        "asked": 380_057, "scoring_s": 5.0, "generated": 0, "generating_s": 0.0,
    }  # fmt: skip
    cpu = {"gpu": None, "capability": None, "device": "cpu", "valid": False, "status": "failed"}
    html = page_of(SpeedRows(points=[point(**cpu)]), evaluations=[took])
    assert ["nano-teacher", "hf, float32", "6", "76,011", "–", "5.0"] in Page(html).rows
    assert "no data sheet of it is known" in html


def test_a_page_of_very_many_points_says_what_it_leaves_out_and_stays_small():
    rows, board = many(700)
    html = page_of(rows, board)
    assert len(html.encode()) < 2_000_000
    assert "1,200 more are left out here" in html  # of 1,400 points
    assert "500 more are left out here" in html  # of 700 pairs a setting


def test_the_same_input_gives_the_same_bytes():
    assert page_of(TWO, PAIR) == page_of(TWO, PAIR)


TEXTS = ("model", "backend", "dtype", "weights", "workload", "reasons", "contributed_by", "against")


@pytest.mark.parametrize("name", [HOSTILE, "n" * 10_000, "\u202egnp.exe", "NaN", "{{ 7 * 7 }}"])
def test_hostile_names_are_text(name: str):
    def made(text: str) -> str:
        told = Board(COLUMNS, (row(facts(text), {MMLU: (measured(0.5),)}), row(facts("b"), {MMLU: (measured(0.6),)})))
        rows = everything(source="contributed", **dict.fromkeys(TEXTS, text))
        both = SpeedRows(
            points=[*rows.points, point(model="b", run_id="b")],
            figures=[*rows.figures, figure("output_rate", 9.0, run_id="b")],
            ratios=rows.ratios,
        )
        return page_of(both, told)

    html, plain = made(name), made("plain")
    drawn = ("text", "path", "g")
    assert Counter(tag for tag, _ in Page(html).elements if tag not in drawn) == Counter(
        tag for tag, _ in Page(plain).elements if tag not in drawn
    )


def test_numbers_that_are_none_break_nothing():
    nothing = [
        figure(metric, value) for metric in ("output_rate", "itl") for value in (float("nan"), float("inf"), None)
    ]
    for each in nothing:
        assert "No model was timed here yet" in page_of(SpeedRows(points=[point()], figures=[each]), hostile())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("site")
    given = {name: html for name, html in speed_site(TWO, PAIR).items() if name.split("/")[1].split(".")[0] in NAMES}
    crowd, board = many(12)
    given["speed/crowd.html"] = page_of(crowd, board)
    given["speed/hostile.html"] = page_of(
        everything(source="contributed", **dict.fromkeys(TEXTS, "n" * 10_000)), hostile()
    )
    for address, html in given.items():
        path = folder / address
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, "utf-8")
    return folder / "speed"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_silently_at_both_widths_and_never_scrolls_sideways(name: str, written: Path, browser: Any):
    address = (written / f"{name}.html").as_uri()
    for width in (1280, 375):
        with opened(browser, address, width, color_scheme="dark" if width == 375 else "light") as tab:
            assert not scrolls_sideways(tab)
            assert tab.locator("h1").count() == 1


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_wrong(name: str, written: Path, browser: Any):
    assert violations(browser, (written / f"{name}.html").as_uri()) == []


def test_the_page_is_whole_without_scripts_and_prints(written: Path, browser: Any):
    with opened(browser, (written / "a100-80-sxm.html").as_uri(), java_script_enabled=False) as tab:
        assert tab.locator("svg").count() == 2
        assert tab.locator("table").first.is_visible()
        assert tab.pdf().startswith(b"%PDF")
