"""The models' pages as text: links, verdicts, what is unknown, empty and hostile results."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest
from support.boards import MMLU, empty, failures, hostile, published, row, site, small
from support.browser import HOSTILE
from support.model_site import MODEL, PARENT, measured_site, site_of
from support.paths import ROOT
from support.report_pages import Page

from reports.pages import claims, models, waiting
from reports.site import addresses
from reports.speed.hardware import pages_of


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return measured_site(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def made(measured):
    return dict(models.pages(measured))


def rows(html: str, first: str) -> list[str]:
    return [" ".join(cells) for cells in Page(html).rows if cells and cells[0].startswith(first)]


def links(html: str) -> set[str]:
    return {attrs["href"] or "" for tag, attrs in Page(html).elements if tag == "a"}


def test_every_model_of_the_board_has_a_page(measured, made):
    names = {row.facts.id for row in measured.board.rows}
    assert set(made) == {addresses.MODELS, *map(addresses.model_page, names)}
    assert set(measured.registry.models) < names


def test_every_link_leads_to_a_page_of_the_site_or_a_place_on_this_one(measured, made):
    known = {address for _, address in addresses.NAVIGATION} | set(made) | {addresses.RUNS}
    known |= {addresses.speed_page(found.name) for found in pages_of(measured.reader)}
    for address, html in made.items():
        ids = {attrs.get("id") for _, attrs in Page(html).elements}
        for link in links(html):
            if link.startswith("#"):
                assert link[1:] in ids, (address, link)
            elif not link.startswith(("https://", "http://")):
                target = re.sub(r"^\.\./", "", link)
                assert target in known or re.match(r"(runs|board|compare)/[\w.-]+\.html$", target), (
                    address,
                    link,
                )


def test_a_measured_score_stands_beside_the_published_one_with_its_verdict(made):
    html = made[addresses.model_page(MODEL)]
    (told,) = [line for line in rows(html, "winogrande") if "± 0.0100" in line]
    assert "0.8051" in told
    assert "printed 80.35, 5-shot" in told
    assert "reproduced" in told
    assert 'class="good">reproduced' in html


def test_every_measured_figure_leads_to_its_run(measured, made):
    run = next(
        row["run_id"]
        for row in measured.reader.rows("SELECT run_id FROM records WHERE status = 'ok' AND subject = ?", [MODEL])
    )
    assert f"../{addresses.run_page(run)}" in links(made[addresses.model_page(MODEL)])


def test_failures_stand_with_their_reason_and_hide_no_figure(made):
    html = made[addresses.model_page(MODEL)]
    assert "Tasks whose newest run failed" in html
    assert rows(html, "winogrande")


def test_parent_children_and_teacher_are_named_as_links(made):
    html = made[addresses.model_page(MODEL)]
    assert f"../models/{PARENT}.html" in links(html)
    assert "mistral-nemo-12b-corrected.html" in " ".join(links(html))
    assert f"../models/{MODEL}-instruct.html" in links(html)


def test_a_model_in_no_registry_has_a_page_that_says_so(made):
    html = made[addresses.model_page(HOSTILE)]
    assert "in no registry" in html
    assert "What no machine exceeds" not in html
    assert rows(html, "winogrande")
    assert "Made from it" not in html


def test_the_list_has_every_model_and_task_with_its_words(measured, made):
    page = Page(made[addresses.MODELS])
    words = [attrs.get("data-words") for tag, attrs in page.elements if tag == "tr" and attrs.get("data-words")]
    assert any("nvidia/minitron-8b-base" in each for each in words)
    assert any(each.startswith("winogrande") for each in words)
    assert len(words) >= len({row.facts.id for row in measured.board.rows})


def test_a_task_used_for_selection_is_marked():
    chosen = replace(small(), rows=(row(small().rows[1].facts, {MMLU: (published(0.6, selected_on=True),)}),))
    html = dict(models.pages(site(chosen)))[addresses.model_page("small-8b")]
    assert "0.6000 †" in html
    assert "† The task was used to choose the model&#39;s shape." in html


@pytest.mark.parametrize("board", [empty(), failures()])
def test_little_on_the_board_gives_honest_pages(board):
    made = dict(models.pages(site(board)))
    assert "Nothing is measured yet" in made[addresses.MODELS]
    assert "minizoo eval --model nano-teacher" in " ".join(made.values())


def test_hostile_names_and_reasons_stay_text(made):
    for html in [*made.values(), *dict(models.pages(site(hostile()))).values()]:
        assert HOSTILE not in html
        assert "<img" not in html
        assert "\x00" not in html


def test_a_name_of_ten_thousand_letters_stands_whole_on_its_own_page_alone():
    name = "n" * 10_000
    made = dict(models.pages(site(hostile())))
    assert name in made[addresses.model_page(name)]
    assert all("n" * 700 not in html for address, html in made.items() if address != addresses.model_page(name))


def test_the_same_results_give_the_same_bytes(measured, made):
    again = site_of(measured.results)
    assert dict(models.pages(again)) == made
    assert dict(claims.pages(again)) == dict(claims.pages(measured))
    assert dict(waiting.pages(again)) == dict(waiting.pages(measured))


def test_five_thousand_models_are_one_list_of_less_than_three_megabytes():
    board = replace(
        small(), rows=tuple(row(replace(small().rows[0].facts, id=f"m-{n}", display=f"m-{n}"), {}) for n in range(5000))
    )
    address, html = next(models.pages(site(board)))
    assert address == addresses.MODELS
    assert len(html.encode()) < 3_000_000


def test_pages_need_no_torch():
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from support.boards import site, small\n"
        "from reports.pages import models, gate, waiting\n"
        "for maker in (models, gate, waiting): list(maker.pages(site(small())))\n"
        "print([name for name in ('torch', 'transformers', 'lm_eval') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
