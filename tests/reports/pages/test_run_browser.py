"""Pages of runs in a real browser: silent, whole without scripts, in order for people who hear them, at any width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.browser import HOSTILE, opened, scrolls_sideways, violations
from support.records import record, samples

from harness.records.files import write_record
from harness.records.record import MetricScore, Setting, Subject
from harness.records.speed_record import Memory, SpeedFacts, Statistic, Validity
from harness.store.query import Reader
from reports.pages import runs
from reports.publish import site_input

LONG = "n" * 10_000
PLAIN, HARD, SPEED = (f"019a0000-0000-7000-8000-00000000000{place}" for place in (1, 2, 3))
PAGES = [f"runs/{PLAIN}.html", f"runs/{HARD}.html", f"runs/{SPEED}.html", "runs/index.html"]


def of(name: str, command: str = "minizoo eval nano-teacher --suite nano") -> dict[str, Any]:
    """Fields of a record: a model and where it was run."""
    return {
        "subject": Subject(
            id=name, source="minizoo", revision=None, weights_digest="d" * 64, tokenizer_digest="t", entry=None
        ),
        "setting": Setting(
            backend="hf", device="cpu", dtype="float32", gpu=None, driver=None, host=name, platform="Linux",
            versions={"torch": name}, git_sha=None, seed=0, command=command, processor=name,
        ),
    }  # fmt: skip


def documents(text: str) -> list[dict[str, Any]]:
    fields = {"prompt": f"{text} Question?\nAnswer:", "choices": '[" yes", " no"]', "gold": 1, "target": text}
    return [{**row, **fields, "responses": "[[[-1.5, true]], [[-2.5, false]]]"} for row in samples()]


def write(results: Path) -> None:
    """A run as any, one of hostile and of endless names, and one of speed."""
    write_record(results, record("nano_words", PLAIN, suite="nano", **of("nano-teacher")), documents("Which?"))
    for task, text in (("hostile", HOSTILE), ("long", LONG), ("rtl", "\u202eשלום " * 60)):
        score = MetricScore(metric=text, filter=text, value=float("nan"), n=2, higher_is_better=True, chance=None)
        fields = {"suite": text, **of(HOSTILE if task == "hostile" else LONG, text)}
        write_record(results, record(task, HARD, scores=(score,), **fields), documents(text))
        failed = {"status": "failed", "reason": text, "code": "c", "scores": (), "counts": None}
        write_record(results, record(f"{task}_failed", HARD, **fields, **failed))
    figures = (Statistic(metric="itl", statistic="p50", value=0.008, lower=0.0079, upper=0.0081, n=90),)
    speed = SpeedFacts(
        workload="batch1", point="p", input_tokens=128, output_tokens=16, batch=1, weights="random",
        validity=Validity(valid=True), machine={}, memory=Memory(allocator=1), statistics=figures,
    )  # fmt: skip
    write_record(
        results, record("batch1.p", SPEED, suite="batch1", scores=(), counts=None, speed=speed, **of("nano-teacher"))
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of runs, written."""
    folder = tmp_path_factory.mktemp("runs")
    write(folder / "results")
    source = site_input(folder / "results", Reader(folder / "results"), "0.1.0")
    made = [*runs.pages(source), *((run.due.page, run.html) for run in runs.run_pages(source, runs.due_runs(source)))]
    for address, html in made:
        (folder / address).parent.mkdir(exist_ok=True)
        (folder / address).write_text(html, "utf-8")
    return folder


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_no_page_asks_for_anything_or_scrolls_sideways(browser: Any, site: Path, address: str, width: int, scheme: str):
    with opened(browser, (site / address).as_uri(), width, color_scheme=scheme) as tab:
        tab.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        assert not scrolls_sideways(tab)
        assert tab.locator("img").count() == 0


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, site: Path, address: str, scheme: str):
    assert violations(browser, (site / address).as_uri(), color_scheme=scheme) == []


def test_a_document_opens_by_keyboard_and_without_scripts(browser: Any, site: Path):
    with opened(browser, (site / PAGES[0]).as_uri(), java_script_enabled=False) as tab:
        assert not tab.get_by_text("Choices", exact=True).first.is_visible()
        tab.locator("summary").first.focus()
        tab.keyboard.press("Enter")
        assert tab.get_by_text("Choices", exact=True).first.is_visible()
        assert tab.locator(".likeliest").first.inner_text().split() == ["-1.50", "yes", "likeliest", "greedy"]


def test_a_score_leads_to_its_documents(browser: Any, site: Path):
    with opened(browser, (site / PAGES[0]).as_uri()) as tab:
        tab.locator("table.scores a").first.click()
        assert tab.url.endswith("#task-1")
        assert tab.get_by_role("heading", name="nano_words").is_visible()


def test_a_page_prints(browser: Any, site: Path):
    with opened(browser, (site / PAGES[1]).as_uri()) as tab:
        assert tab.pdf().startswith(b"%PDF")


def test_a_page_of_a_list_leads_to_the_next(browser: Any, site: Path):
    with opened(browser, (site / "runs/index.html").as_uri()) as tab:
        assert tab.locator("tbody tr").count() == 3
        with tab.expect_navigation():
            tab.locator("a.run-link").first.click()
        assert SPEED in tab.url
