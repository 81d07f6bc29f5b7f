"""The leaderboard in a real browser: sorting, filters, pins, the address, copies; without scripts, by keyboard, on paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.boards import empty, failures, hostile, site, small, wide
from support.browser import opened, scrolls_sideways, violations

from reports.pages.board import pages
from reports.pages.single import single_file

BOARDS: dict[str, Callable[[], Any]] = {
    "small": small, "empty": empty, "failures": failures, "hostile": hostile, "wide": lambda: wide(9, 4, 2),
}  # fmt: skip


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder a board, with its pages and the single file."""
    made: dict[str, Path] = {}
    for name, board in BOARDS.items():
        made[name] = tmp_path_factory.mktemp(name)
        given = site(board())
        for address, html in [*pages(given), ("single.html", single_file(given))]:
            path = made[name] / address
            path.parent.mkdir(exist_ok=True)
            path.write_text(html, encoding="utf-8")
    return made


@pytest.fixture
def home(browser: Any, sites: dict[str, Path]) -> Iterator[Any]:
    with opened(browser, address(sites, "small")) as tab:
        yield tab


def address(sites: dict[str, Path], name: str, page: str = "index.html", state: str = "") -> str:
    return (sites[name] / page).as_uri() + state


def shown(tab: Any, table: int = 0) -> list[str]:
    """Models of the visible rows of a table, in order."""
    return tab.evaluate(
        """(at) => [...document.querySelectorAll(".board table")[at].querySelectorAll("tr[data-m]")]
          .filter((row) => row.checkVisibility()).map((row) => row.dataset.m)""",
        table,
    )


def head(tab: Any, name: str) -> Any:
    return tab.locator(f'.board th[data-col="{name}"] button').first


CHOICE, TEXT = "nano_choice/acc/none/3", "nano_text/word_perplexity/none/0"


def test_headings_sort_by_the_worse_end_and_a_third_time_go_back(home: Any) -> None:
    assert shown(home) == ["nano-teacher", "nano-cut"]
    for name, first in ((CHOICE, "descending"), (TEXT, "ascending")):  # lower is better of the second: best first
        orders = []
        for _ in range(3):
            head(home, name).click()
            orders.append((home.locator(f'th[data-col="{name}"]').first.get_attribute("aria-sort"), shown(home)))
        assert [told for told, _ in orders] == [first, "ascending" if first == "descending" else "descending", None]
        there, back = ["nano-teacher", "nano-cut"], ["nano-cut", "nano-teacher"]
        assert [models for _, models in orders] == [there, back, there]


def test_missing_is_last_whichever_way_it_is_sorted(home: Any) -> None:
    for _ in range(2):
        head(home, "gsm8k/exact_match/strict-match/5").click()
        assert shown(home, 1) == ["big-15b", "small-8b", "small-8b-chat"]


def test_a_link_shows_the_same_view(browser: Any, sites: dict[str, Path], home: Any) -> None:
    home.get_by_label("Kind").select_option("base")
    home.get_by_placeholder("Search").fill("small")
    head(home, "size").click()
    home.locator("summary", has_text="Columns").click()
    home.get_by_label("Licence", exact=True).uncheck()
    view = home.evaluate("location.hash")
    with opened(browser, address(sites, "small", state=view)) as again:
        assert shown(again, 1) == shown(home, 1) == ["small-8b"]
        assert again.locator('th[data-col="size"]').first.get_attribute("aria-sort") == "descending"
        assert not again.locator('th[data-col="licence"]').first.is_visible()
        assert again.get_by_placeholder("Search").input_value() == "small"
        again.get_by_role("button", name="Reset").click()
        again.locator("#count", has_text="5 rows").wait_for()
        assert len(shown(again) + shown(again, 1)) == 5


@pytest.mark.parametrize(
    ("state", "models"),
    [
        ("#src=measured", ["nano-teacher", "nano-cut"]),
        ("#src=published", ["nano-cut", "small-8b", "big-15b", "small-8b-chat"]),
        ("#src=imported", []),
        ("#kind=instruct", ["small-8b-chat"]),
        ("#lic=yes", ["nano-teacher", "nano-cut", "small-8b"]),
        ("#lic=no", ["big-15b"]),
        ("#lic=unknown", ["small-8b-chat"]),
        ("#fam=nano", ["nano-teacher", "nano-cut"]),
        ("#be=hf&dt=bfloat16", ["nano-teacher", "nano-cut"]),
        ("#hw=NVIDIA+H100+80GB+HBM3", ["small-8b"]),
        ("#hw=-", ["small-8b", "big-15b", "small-8b-chat"]),
        ("#ctx=5000", ["nano-teacher", "nano-cut", "big-15b"]),
        ("#ctx=5000&unk=1", ["nano-teacher", "nano-cut", "big-15b", "small-8b-chat"]),
        ("#min=1&max=10", ["small-8b", "small-8b-chat"]),
        ("#gb=8.5&at=4096&b=1", ["nano-teacher", "nano-cut"]),
        ("#gb=8.6&at=4096&b=1", ["nano-teacher", "nano-cut", "small-8b", "big-15b", "small-8b-chat"]),
        # 8 GB of weights and 2 · 4096 · 131,072 bytes of cache are 9.07 GB.
        ("#gb=9.0&at=4096&b=2", ["nano-teacher", "nano-cut"]),
        ("#gb=1.2&at=4096&b=2", ["nano-teacher", "nano-cut"]),
        ("#full=1", ["nano-teacher", "nano-cut", "big-15b"]),
        ("#q=nano+cut", ["nano-cut"]),
        ("#q=nothing-like-it", []),
        ("#kind=nonsense&sort=nonsense", ["nano-teacher", "nano-cut", "small-8b", "big-15b", "small-8b-chat"]),
    ],
)
def test_filters(browser: Any, sites: dict[str, Path], state: str, models: list[str]) -> None:
    with opened(browser, address(sites, "small", state=state)) as tab:
        assert shown(tab) + shown(tab, 1) == models
        assert tab.locator("#count").text_content() == ("5 rows" if len(models) == 5 else f"{len(models)} of 5 rows")


PLACES = """() => Object.fromEntries(
  [...document.querySelectorAll("tr[data-m]")].filter((row) => row.checkVisibility())
    .map((row) => [row.dataset.m + row.dataset.hw, [...row.querySelectorAll(".rank")].map((rank) => rank.textContent)]))"""


def test_no_filter_moves_a_place(browser: Any, sites: dict[str, Path]) -> None:
    def places(state: str) -> dict[str, list[str]]:
        with opened(browser, address(sites, "wide", state=state)) as tab:
            return tab.evaluate(PLACES)

    everything, some = places(""), places("#kind=base&min=1.05&sort=size&dir=ascending")
    assert 0 < len(some) < len(everything)
    assert some == {name: everything[name] for name in some}
    assert all(its for its in some.values())


def test_a_word_that_only_a_task_has_narrows_the_columns(browser: Any, sites: dict[str, Path]) -> None:
    with opened(browser, address(sites, "small", state="#q=gsm8k")) as tab:
        assert tab.locator('th[data-col^="gsm8k"]').first.is_visible()
        assert not tab.locator('th[data-col^="mmlu"]').first.is_visible()
        assert len(shown(tab, 1)) == 3


def test_a_search_without_a_row_leads_to_the_list_of_everything(home: Any) -> None:
    assert not home.locator("#elsewhere").is_visible()
    home.get_by_placeholder("Search").fill("qwen 7b")
    assert home.locator("#elsewhere").is_visible()
    assert home.locator("#elsewhere").get_attribute("href").endswith("/models/index.html#q=qwen+7b")


def test_the_source_filter_hides_other_figures_of_a_cell(browser: Any, sites: dict[str, Path]) -> None:
    with opened(browser, address(sites, "small", state="#src=published")) as tab:
        figures = tab.locator('tr[data-m="nano-cut"] .f:visible')
        assert figures.all_text_contents()[0].startswith("0.6900published")
        assert tab.locator(".f.measured:visible").count() == 0


def test_retained_alone_shows_the_raw_ratio_and_sorts_by_it(browser: Any, sites: dict[str, Path]) -> None:
    with opened(browser, address(sites, "wide", state="#show=kept&sort=task_00/acc/none/5&dir=descending")) as tab:
        told = tab.evaluate(
            """() => [...document.querySelector("tbody").rows].filter((row) => row.dataset.m)
              .map((row) => row.cells[3].querySelector(".f").dataset.r ?? null)"""
        )
        numbers = [float(each) for each in told if each is not None]
        assert numbers == sorted(numbers, reverse=True)
        assert told[len(numbers) :] == [None] * (len(told) - len(numbers))
        assert not tab.locator(".f[data-r] .value").first.is_visible()
        style = "(each) => getComputedStyle(each, '::after').content"
        assert "raw" in tab.locator(".kept").first.evaluate(style)


def test_pinned_models_stay_on_top_and_lead_to_their_comparison(home: Any) -> None:
    home.get_by_role("button", name="Pin nano-cut").first.click()
    assert shown(home) == ["nano-cut", "nano-teacher"]
    home.get_by_role("button", name="Pin small-8b", exact=True).click()
    home.get_by_placeholder("Search").fill("big")
    assert shown(home) + shown(home, 1) == ["nano-cut", "small-8b", "big-15b"]
    assert home.locator("#compare").get_attribute("href") == "compare/index.html#a=nano-cut&b=small-8b"
    assert "pin=nano-cut&pin=small-8b" in home.evaluate("location.hash")
    home.get_by_role("button", name="Pin nano-cut").first.click()
    assert not home.locator("#compare").is_visible()


def test_active_filters_are_told_and_taken_away_one_by_one(home: Any) -> None:
    home.get_by_label("Source").select_option("measured")
    home.get_by_label("Kind").select_option("base")
    home.get_by_role("button", name="Remove the filter Source: measured").click()
    assert home.locator("#active button").all_text_contents() == ["Kind: base ×"]
    assert home.evaluate("location.hash") == "#kind=base"


def test_what_is_shown_is_copied_as_markdown_and_csv(home: Any) -> None:
    home.get_by_placeholder("Search").fill("nano-cut")
    markdown = home.evaluate("copies.markdown()")
    lines = markdown.splitlines()
    assert lines[0] == "**The nano suite**"
    assert "nano\\_choice ↑ (acc · 3-shot)" in lines[2]
    assert lines[3].count("---") == lines[2].count(" | ") + 1
    assert "0.7000 \\[0.6900–0.7100\\], retained 97.0 % (93.0–101.0), measured" in lines[4]
    rows = list(csv.DictReader(io.StringIO(home.evaluate("copies.csv()"))))
    assert [(each["task"], each["source"], each["value"]) for each in rows] == [
        ("nano_choice", "measured", "0.7"), ("nano_choice", "published", "0.69"), ("nano_text", "measured", "18.1"),
    ]  # fmt: skip
    assert rows[0]["interval"] == "0.6900–0.7100"
    assert rows[2]["part"] == "200 of 1,000"


def test_a_spreadsheet_takes_no_name_for_a_formula(browser: Any, sites: dict[str, Path]) -> None:
    with opened(browser, address(sites, "hostile")) as tab:
        assert tab.evaluate("copies.csv().split('\\r\\n').every((line) => !/(^|,)\"?[=+@]/.test(line))")
        rows = list(csv.DictReader(io.StringIO(tab.evaluate("copies.csv()"))))
        assert {each["model"] for each in rows} >= {"a|b,`c`\"d'"}
        table = [line for line in tab.evaluate("copies.markdown()").splitlines() if line.startswith("|")]
        assert len(table) == 2 + 5


def test_the_copy_reaches_the_clipboard(browser: Any, sites: dict[str, Path]) -> None:
    with opened(browser, address(sites, "small"), permissions=["clipboard-read", "clipboard-write"]) as tab:
        tab.get_by_role("button", name="Copy CSV").click()
        tab.locator("#count", has_text="Copied as CSV.").wait_for()
        assert tab.evaluate("navigator.clipboard.readText()").startswith("group,kind,model,")


def test_the_table_is_downloaded(home: Any) -> None:
    with home.expect_download() as download:
        home.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "minizoo-board.csv"
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("group,kind,model,")


def test_everything_is_there_without_scripts(browser: Any, sites: dict[str, Path]) -> None:
    with opened(browser, address(sites, "small"), java_script_enabled=False) as tab:
        assert tab.locator("tr[data-m]:visible").count() == 5
        assert not tab.locator("#controls").is_visible()
        assert tab.locator(".kept:visible").count() == 2
        tab.locator("sup a").first.click()
        assert tab.locator("li:target").count() == 1


def test_a_note_is_reached_without_losing_the_view(home: Any) -> None:
    home.get_by_label("Kind").select_option("base")
    home.locator("sup a").first.click()
    assert home.evaluate("[document.activeElement.id, location.hash]") == ["note-1", "#kind=base"]


def test_a_keyboard_is_enough(home: Any) -> None:
    home.keyboard.press("/")
    home.keyboard.type("nano")
    assert shown(home) == ["nano-teacher", "nano-cut"]
    head(home, CHOICE).focus()
    home.keyboard.press("Enter")
    home.keyboard.press("Space")
    assert shown(home) == ["nano-cut", "nano-teacher"]
    assert home.evaluate("document.activeElement.closest('th').dataset.col") == CHOICE


@pytest.mark.parametrize("name", list(BOARDS))
@pytest.mark.parametrize("page", ["index.html", "single.html"])
def test_no_page_scrolls_sideways_on_a_phone(browser: Any, sites: dict[str, Path], name: str, page: str) -> None:
    with opened(browser, address(sites, name, page), width=375) as tab:
        assert not scrolls_sideways(tab)
        for fold in tab.locator(".folds summary").all():
            fold.click()
        assert not scrolls_sideways(tab)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", list(BOARDS))
def test_axe_finds_nothing(browser: Any, sites: dict[str, Path], name: str, scheme: str) -> None:
    assert violations(browser, address(sites, name), color_scheme=scheme) == []


@pytest.mark.parametrize("page", ["single.html", "board/nano.html"])
def test_axe_finds_nothing_on_other_pages(browser: Any, sites: dict[str, Path], page: str) -> None:
    assert violations(browser, address(sites, "small", page)) == []


def test_dark_is_dark(browser: Any, sites: dict[str, Path]) -> None:
    with opened(browser, address(sites, "small"), color_scheme="dark") as tab:
        red, green, blue = tab.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert max(red, green, blue) < 60


def test_paper_has_the_whole_table_and_no_filters(home: Any) -> None:
    home.emulate_media(media="print")
    assert not home.locator("#controls").is_visible()
    assert home.locator("tr[data-m]:visible").count() == 5
    assert home.evaluate("getComputedStyle(document.querySelector('.board .scroll')).maxHeight") == "none"
    assert home.pdf().startswith(b"%PDF")
