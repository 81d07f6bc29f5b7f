"""A real browser, and what every page of ours must be in it: silent, whole, and in order for people who hear it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path(os.environ.get("MINIZOO_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
HOSTILE = "</script><img src=http://127.0.0.1:9/x onerror=alert(1)>"


def launched() -> Iterator[Any]:
    """Chromium, for a fixture to `yield from`; skips where there is none."""
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no browser at {CHROMIUM}: `apt-get install chromium`, or set MINIZOO_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@contextlib.contextmanager
def opened(browser: Any, address: str, width: int = 1280, **options: Any) -> Generator[Any]:
    """A tab at that address; fails if the page asked for anything but itself, logged an error or opened a dialogue.

    options: of Playwright's new_context (`color_scheme`, `java_script_enabled`, …).
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    tab = context.new_page()
    trouble: list[str] = []
    tab.on("request", lambda request: trouble.extend(_foreign(request)))
    tab.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("dialog", lambda dialog: (trouble.append("a dialogue"), dialog.dismiss()))
    tab.goto(address)
    try:
        yield tab
    finally:
        context.close()
    assert trouble == []


def _foreign(request: Any) -> list[str]:
    own = request.is_navigation_request() or request.url.startswith("data:")
    return [] if own else [request.url]


def violations(browser: Any, address: str, **options: Any) -> list[str]:
    """What axe-core finds wrong with a page, a line each."""
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True, **options)
    try:
        tab = context.new_page()
        tab.goto(address)
        found = Axe().run(tab).response["violations"]
    finally:
        context.close()
    return [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"]]


def scrolls_sideways(tab: Any) -> bool:
    """Whether the page itself (not a table inside it) is wider than its window."""
    return tab.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
