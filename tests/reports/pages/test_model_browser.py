"""The pages of models, claims, the gate and what waits, in a real browser: silent, searchable, in order for everybody."""

from pathlib import Path

import pytest
from support.boards import hostile, site
from support.browser import HOSTILE, opened, scrolls_sideways, violations
from support.model_site import MODEL, measured_site

from reports.pages import claims, gate, models, waiting
from reports.pages.findings import page as findings
from reports.site import addresses

pytestmark = pytest.mark.browser
MAKERS = (models, claims, gate, waiting, findings)
SHOWN = """
[...document.querySelectorAll("tr[data-words]")].filter((row) => row.checkVisibility()).map((row) => row.cells[0].innerText)
"""
KINDS = {
    "list": addresses.MODELS,
    "registered": addresses.model_page(MODEL),
    "in no registry": addresses.model_page(HOSTILE),
    "claims": addresses.CLAIMS,
    "gate": addresses.GATE,
    "history": addresses.HISTORY,
    "findings": addresses.FINDINGS,
    "engines": addresses.ENGINES,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The pages as files, of a site with a few records."""
    out = tmp_path_factory.mktemp("site")
    made = measured_site(tmp_path_factory.mktemp("results"))
    for maker in MAKERS:
        written(out, dict(maker.pages(made)))
    return out


@pytest.fixture(scope="module")
def strange(tmp_path_factory) -> Path:
    """The pages of models whose names and figures are hostile."""
    out = tmp_path_factory.mktemp("strange")
    written(out, dict(models.pages(site(hostile()))))
    return out


def written(out: Path, made: dict[str, str]) -> None:
    for address, html in made.items():
        (out / address).parent.mkdir(parents=True, exist_ok=True)
        (out / address).write_text(html, "utf-8")


def at(folder: Path, address: str, fragment: str = "") -> str:
    return (folder / address).as_uri() + fragment


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_in_both_schemes(browser, folder, kind, scheme):
    assert violations(browser, at(folder, KINDS[kind]), color_scheme=scheme) == []


@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_silent_and_fit_a_phone(browser, folder, kind):
    with opened(browser, at(folder, KINDS[kind]), width=375) as tab:
        assert not scrolls_sideways(tab)


def test_hostile_pages_are_silent_fit_a_phone_and_are_accessible(browser, strange):
    for path in sorted((strange / "models").glob("*.html")):
        with opened(browser, path.as_uri(), width=375) as tab:
            assert not scrolls_sideways(tab), path.name
            assert tab.locator("img").count() == 0
    assert violations(browser, at(strange, addresses.MODELS)) == []


def test_search_finds_models_and_tasks_and_keeps_it_in_the_address(browser, folder):
    with opened(browser, at(folder, addresses.MODELS)) as tab:
        everything = len(tab.evaluate(SHOWN))
        tab.get_by_role("searchbox").fill("Mistral Minitron")
        shown = tab.evaluate(SHOWN)
        assert 0 < len(shown) < everything
        assert all("NeMo-Minitron" in name for name in shown)
        assert tab.evaluate("location.hash") == "#q=Mistral+Minitron"
        assert tab.get_by_role("status").inner_text().startswith("2 models, 0 tasks")
        tab.get_by_role("searchbox").fill("winogrande")
        assert all(name.startswith("winogrande") for name in tab.evaluate(SHOWN))
        tab.get_by_role("searchbox").press("Escape")
        assert len(tab.evaluate(SHOWN)) == everything
        assert tab.evaluate("location.hash") == ""


def test_the_same_address_gives_the_same_list(browser, folder):
    with opened(browser, at(folder, addresses.MODELS, "#q=llama+instruct")) as tab:
        assert tab.get_by_role("searchbox").input_value() == "llama instruct"
        shown = tab.evaluate(SHOWN)
        assert shown
        tab.evaluate("location.hash = '#q=gemma'")
        tab.wait_for_function("document.getElementById('q').value === 'gemma'")
        assert tab.evaluate(SHOWN) != shown


def test_nothing_found_is_said(browser, folder):
    with opened(browser, at(folder, addresses.MODELS, "#q=no+such+thing")) as tab:
        assert tab.evaluate(SHOWN) == []
        assert tab.get_by_role("status").inner_text() == "0 models, 0 tasks"


def test_search_works_by_keyboard_alone(browser, folder):
    with opened(browser, at(folder, addresses.MODELS)) as tab:
        tab.keyboard.press("/")
        tab.keyboard.type("minitron-8b-fp8")
        assert tab.evaluate(SHOWN)[0].startswith("Minitron-8B-Base-FP8")
        for _ in range(12):
            tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.closest('tr[data-words]') !== null"):
                break
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/minitron-8b-fp8.html")


def test_without_scripts_the_list_is_whole_and_has_no_box(browser, folder):
    with opened(browser, at(folder, addresses.MODELS), java_script_enabled=False) as tab:
        assert tab.get_by_role("searchbox").count() == 0
        assert tab.get_by_role("link", name="Minitron-8B-Base-FP8", exact=True).is_visible()
        assert tab.locator("#tasks tbody tr").count() > 5


def test_links_inside_a_page_reach_their_source(browser, folder):
    with opened(browser, at(folder, addresses.model_page(MODEL))) as tab:
        link = tab.locator('a[href^="#source-"]').first
        place = link.get_attribute("href")
        link.click()
        assert tab.evaluate("`#${document.querySelector(':target').id}`") == place


def test_a_page_prints_without_what_is_for_the_screen(browser, folder):
    with opened(browser, at(folder, addresses.model_page(MODEL))) as tab:
        tab.emulate_media(media="print")
        assert not tab.get_by_label("Site").is_visible()
        assert tab.pdf().startswith(b"%PDF")


def test_the_framed_model_follows_the_colours_of_the_page(browser, folder):
    colours = set()
    for scheme in ("light", "dark"):
        with opened(browser, at(folder, addresses.model_page(MODEL)), color_scheme=scheme) as tab:
            frame = "document.querySelector('.lineage path[stroke-width=\"2.5\"]')"
            colours.add(tab.evaluate(f"getComputedStyle({frame}).stroke"))
    assert len(colours) == 2
