"""The report in a real browser: it sorts, filters, keeps its view in the address, and asks for nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.score_rows import MADE, RUN, failure, published, run, score
from support.speed_rows import everything, point

from reports.page import render_page

CHROMIUM = Path(os.environ.get("MINIZOO_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
TOP = "heading => heading.getBoundingClientRect().top"
HOSTILE = "</script><img src=http://127.0.0.1:9/x onerror=alert(1)>"
SCORES = [
    score(task="nano_facts", value=0.905, n=400, lower=0.87, upper=0.93),
    score(task="nano_cloze", value=0.72, n=1200, lower=0.69, upper=0.75),
    score(task="nano_prose", metric="word_perplexity", value=12.5, higher_is_better=False, n=90, chance=None),
    score(task="nano_sums", value=float("nan"), lower=None, upper=None, n=80),
    score(task="nano_facts", model=HOSTILE, suite="other", value=0.55, lower=0.5, upper=0.6, n=40),
    failure(),
    published(),
]
SPEED = replace(everything(), points=[point(), point(task="b", valid=False, reasons="the GPU was busy")])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no browser at {CHROMIUM}: `apt-get install chromium`, or set MINIZOO_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("site") / "index.html"
    file.write_text(render_page(SCORES, [run()], MADE, SPEED), "utf-8")
    return file.as_uri()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, opened; fails the test if it asked for anything, logged an error or opened a dialogue."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    trouble: list[str] = []
    tab.on("request", lambda request: request.url.startswith(("file:", "data:")) or trouble.append(request.url))
    tab.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("dialog", lambda dialog: (trouble.append("a dialogue"), dialog.dismiss()))
    tab.goto(address)
    yield tab
    context.close()
    assert trouble == []


def cells(page: Any, column: int, visible: bool = True) -> list[str]:
    rows = page.locator("#scores tbody tr:visible" if visible else "#scores tbody tr")
    return [row.locator("th, td").nth(column).inner_text() for row in rows.all()]


def href(page: Any) -> str:
    return page.evaluate("location.href")


TASK, VALUE, INTERVAL, N, DATE = 2, 6, 7, 9, 12


def test_the_page_asks_for_nothing_and_runs_nothing_foreign(page: Any):
    assert page.locator("img").count() == 0
    assert page.locator("#scores tbody tr").count() == len(SCORES)
    assert HOSTILE in cells(page, 0)


def test_measured_scores_come_first_and_the_published_ones_are_a_choice_away(page: Any):
    assert page.get_by_role("status").inner_text() == "6 of 7 scores"
    page.locator("select#source").select_option("")
    assert page.get_by_role("status").inner_text() == "7 of 7 scores"
    assert href(page).endswith("#source=")
    page.reload()
    assert page.get_by_role("status").inner_text() == "7 of 7 scores"


def test_numbers_sort_as_numbers_and_what_is_absent_comes_last_either_way(page: Any):
    page.get_by_role("button", name="Value").click()
    assert cells(page, VALUE) == ["12.500", "0.9050", "0.7200", "0.5500", "–", "–"]
    assert page.get_by_role("columnheader", name="Value").get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="Value").click()
    assert cells(page, VALUE) == ["0.5500", "0.7200", "0.9050", "12.500", "–", "–"]
    assert page.get_by_role("columnheader", name="Value").get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="n", exact=True).click()
    assert cells(page, N)[:5] == ["1,200", "400", "90", "80", "40"]
    assert page.locator("[aria-sort]").count() == 1


def test_the_keyboard_sorts_too(page: Any):
    page.get_by_role("button", name="Task").focus()
    page.keyboard.press("Enter")
    assert cells(page, TASK) == sorted(cells(page, TASK))


def test_search_takes_every_word_and_the_count_follows(page: Any):
    page.get_by_label("Search").fill("FACTS nano-teacher")
    assert cells(page, TASK) == ["nano_facts"]
    assert page.get_by_role("status").inner_text() == "1 of 7 scores"
    page.get_by_label("Search").fill("no such thing")
    assert cells(page, TASK) == []


def test_the_address_restores_the_view(page: Any):
    page.locator("select#model").select_option("nano-teacher")
    page.locator("select#source").select_option("")
    page.get_by_label("Search").fill("nano_")
    page.get_by_role("button", name="n", exact=True).click()
    seen = cells(page, TASK)
    other = page.context.new_page()
    other.goto(href(page))
    assert cells(other, TASK) == seen == ["nano_cloze", "nano_facts", "nano_prose", "nano_sums", "nano_code"]
    assert other.get_by_label("Search").input_value() == "nano_"
    assert other.locator("select#model").input_value() == "nano-teacher"
    assert other.get_by_role("columnheader", name="n", exact=True).get_attribute("aria-sort") == "descending"
    other.get_by_role("button", name="Reset").click()
    becomes(other, lambda: other.locator("#scores tbody tr:not([hidden])").count() == 6)
    assert href(other).endswith("#")
    other.close()


@pytest.mark.parametrize("fragment", ["#sort=__proto__&dir=up", "#model=no-such", "#%E0%A4%A", "#run-nobody", "#q="])
def test_an_address_that_makes_no_sense_shows_the_first_view(page: Any, address: str, fragment: str):
    page.goto("about:blank")
    page.goto(address + fragment)
    assert page.get_by_role("status").inner_text() == "6 of 7 scores"


def test_a_date_leads_to_what_repeats_the_run_and_keeps_the_view(page: Any, address: str):
    page.get_by_label("Search").fill("nano_cloze")
    before = href(page)
    command = page.get_by_text("minizoo eval --model nano-teacher --suite nano")
    assert not command.is_visible()
    page.locator("#scores a:visible").click()
    assert command.is_visible()
    assert href(page) == before == f"{address}#q=nano_cloze"


def test_a_link_to_a_run_opens_it(page: Any, address: str):
    page.goto("about:blank")
    page.goto(f"{address}#run-{RUN}")
    assert page.get_by_text("sha256:abcd").is_visible()


def test_without_scripts_every_row_is_there(browser: Any, address: str):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("#scores tbody tr").count() == len(SCORES)
    assert all(row.is_visible() for row in page.locator("#scores tbody tr").all())
    assert not page.locator("#controls").is_visible()
    assert page.locator("thead button").count() == 0
    page.locator(f"#run-{RUN} summary").click()
    assert page.get_by_text("sha256:abcd").is_visible()
    context.close()


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_no_width_makes_the_page_scroll_sideways(browser: Any, tmp_path: Path, width: int):
    long = [score(model="m" * 300, task="t" * 200), failure(reason="r" * 500, model="m" * 300)]
    file = tmp_path / "index.html"
    named = dict.fromkeys(("model", "against", "gpu", "contributed_by", "reasons", "note", "weights"), "n" * 300)
    speed = everything(source="contributed", **named)
    page = render_page(SCORES + long, [run(command="c" * 400, weights_digest="d" * 200)], MADE, speed)
    file.write_text(page, "utf-8")
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((run) => (run.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_light_and_dark_follow_the_reader(browser: Any, address: str, scheme: str, dark: bool):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    label = page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill.match(/\\d+/)[0]")
    assert (int(red) < 80) is dark
    assert (int(label) > 128) is dark
    context.close()


def test_print_leaves_the_controls_out(page: Any):
    assert page.locator("#controls").is_visible()
    page.emulate_media(media="print")
    assert not page.locator("#controls").is_visible()
    assert page.locator("#scores").is_visible()


def test_a_thousand_rows_sort_and_filter(browser: Any, tmp_path: Path):
    file = tmp_path / "index.html"
    rows = [score(task=f"task_{i:04}", value=(i * 7919 % 1000) / 1000, n=i) for i in range(1000)]
    file.write_text(render_page(rows, [run()], MADE), "utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    page.get_by_role("button", name="n", exact=True).click()
    assert page.locator("#scores tbody tr td:nth-child(3)").first.inner_text() == "task_0999"
    page.get_by_label("Search").fill("task_00")
    assert page.get_by_role("status").inner_text() == "100 of 1000 scores"
    page.close()


CONTRAST = """element => {
  const light = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const two = [getComputedStyle(element).color, getComputedStyle(document.body).backgroundColor].map(light).sort();
  return (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
}"""
"""WCAG 2's contrast of an element's text with the page; 4.5 is what small text needs."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_dimmed_can_still_be_read(browser: Any, address: str, scheme: str):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    dimmed = page.locator("tr.invalid th, tr.invalid td, tr.invalid a, tr.invalid small").all()
    plain = page.locator("table.speed tr:not(.invalid) td").first.evaluate(CONTRAST)
    assert len(dimmed) > 10
    assert all(4.5 <= cell.evaluate(CONTRAST) < plain for cell in dimmed)
    context.close()


def becomes(page: Any, true: Callable[[], bool]) -> None:
    """Wait until it is: the page's own policy forbids the strings that `wait_for_function` evaluates in it."""
    for _ in range(250):
        if true():
            return
        page.wait_for_timeout(20)
    pytest.fail("it did not come to be within five seconds")


def test_a_table_of_speeds_scrolls_by_keyboard_and_names_its_gpu_meanwhile(browser: Any, address: str):
    context = browser.new_context(viewport={"width": 375, "height": 800})
    page = context.new_page()
    page.goto(address)
    region = page.get_by_role("region", name="Table of speeds")
    region.focus()
    page.keyboard.press("End")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    becomes(page, lambda: region.evaluate("region => region.scrollLeft") > 50)
    left = region.locator("tr.group span").first.evaluate("span => span.getBoundingClientRect().left")
    assert 0 <= left < 100
    context.close()


def test_the_count_of_speed_rows_leads_to_them(page: Any):
    page.get_by_role("link", name="valid speed row").click()
    becomes(page, lambda: page.get_by_role("heading", name="Speed").evaluate(TOP) < 100)


def test_a_row_of_speed_leads_to_its_run(page: Any):
    page.locator("table.speed a").first.click()
    assert page.get_by_text("sha256:abcd").is_visible()
