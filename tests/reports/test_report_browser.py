"""The whole site in a real browser: every kind of page, as the command wrote it from results of hostile names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.browser import HOSTILE, opened, scrolls_sideways, violations
from support.records import record, samples

from harness.records.files import new_run_id, write_record
from harness.records.record import Subject
from reports.publish import publish
from reports.site.addresses import NAVIGATION

PAGES = [address for _, address in NAVIGATION] + [
    "runs/index.html",
    "models/nano-teacher.html",
    "models/minitron-8b.html",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of a registry's model, one of a hostile name, and one of an endless name."""
    folder = tmp_path_factory.mktemp("whole")
    for name in ("nano-teacher", "nano-width-pruned", HOSTILE, "n" * 10_000):
        kind = "registry" if name.startswith("nano-") else None
        subject = Subject(
            id=name, source="minizoo", revision=None, weights_digest="w", tokenizer_digest="t", entry=None, kind=kind
        )
        write_record(folder / "results", record("nano_words", new_run_id(), subject=subject, suite="nano"), samples())
    return publish(folder / "results", folder / "site", "0.1.0").path.parent


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_silent_and_fits_a_phone(browser: Any, site: Path, address: str):
    with opened(browser, (site / address).as_uri(), 375) as tab:
        assert not scrolls_sideways(tab)
        assert tab.locator("img").count() == 0
        assert tab.locator("h1").count() == 1


@pytest.mark.parametrize("address", PAGES)
def test_axe_finds_nothing_on_it(browser: Any, site: Path, address: str):
    assert violations(browser, (site / address).as_uri()) == []


def test_one_reaches_every_room_from_the_first_page_and_comes_back(browser: Any, site: Path):
    with opened(browser, (site / "index.html").as_uri(), java_script_enabled=False) as tab:
        for name, address in NAVIGATION[1:]:
            tab.get_by_role("navigation", name="Site").get_by_role("link", name=name, exact=True).click()
            assert tab.url == (site / address).as_uri()
            tab.locator("a.brand").click()
            assert tab.url == (site / "index.html").as_uri()
