"""The part of models' pages that says what was won back: on each of the three, with its picture, from the table's own cells."""

import re

import pytest
from support.model_site import site_of
from support.recovering import DISTILLED, MODELS, PARENT, family_file, keep_family
from support.report_pages import Page

from reports.charts.recovery import Share, draw
from reports.pages import models
from reports.site import addresses


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "MINIZOO_REGISTRY",
            str(family_file(folder, distilled={"trained_on": {"tasks": ["winogrande"], "source": "mine"}})),
        )
        keep_family(folder)
        return wanted_pages(models.pages(site_of(folder)))


def wanted_pages(made):
    """No more of the pages than are looked at: each takes its time."""
    wanted = {addresses.model_page(model) for model in (*MODELS, "minitron-8b")}
    found = {}
    while not wanted <= set(found):
        found.update([next(made)])
    return found


def test_each_of_the_three_has_the_familys_table_and_picture(made):
    for model in MODELS:
        html = made[addresses.model_page(model)]
        assert 'id="recovery"' in html
        (cells,) = [
            row for row in Page(html).rows if row and row[0].startswith("winogrande §") and "→" in " ".join(row)
        ]
        assert re.search(r"\d+\.\d %", " ".join(cells))
        assert "Share of what pruning cost that distillation won back" in html
    assert 'id="recovery"' not in made[addresses.model_page("minitron-8b")]


def test_a_score_of_a_task_that_was_trained_on_says_so_on_its_page(made):
    assert "trained on text of this task" in made[addresses.model_page(DISTILLED)]
    told = [
        row for row in Page(made[addresses.model_page(PARENT)]).rows if "trained on text of this task" in " ".join(row)
    ]
    assert told == []


def test_the_picture_says_what_lies_beyond_its_axis():
    chart = draw(
        [Share("nano_sums", 0.7, 0.5, 0.9), Share("<b>x</b>\n", 1.2, -3.0, 7.0), Share("alike", 1.0, None, None)]
    )
    assert "nano_sums 70 %" in chart.summary
    assert "beyond the axis" in chart.summary
    assert "<b>" not in chart.svg
    assert draw([]) is None
