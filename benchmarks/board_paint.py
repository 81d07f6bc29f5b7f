"""How soon a large leaderboard stands on the screen: 200 models, 30 tasks, 8 GPUs, in a headless Chromium.

    python benchmarks/board_paint.py [--models 200 --tasks 30 --hardware 8 --times 5]

Makes the board's pages in memory, writes them, opens each kind of page several times in a fresh tab and prints its size and the
first contentful paint and the end of its scripts, from the start of the navigation. Median and worst of the times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from support.boards import site, wide  # noqa: E402
from support.browser import ARGUMENTS, CHROMIUM  # noqa: E402

from reports.pages.board import pages  # noqa: E402
from reports.pages.single import single_file  # noqa: E402

PAINTED = """() => new Promise((done) => {
  const told = () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const way = performance.getEntriesByType("navigation")[0];
    if (paint && way.loadEventEnd) done([paint.startTime, way.loadEventEnd]); else setTimeout(told, 20);
  };
  told();
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("models", 200), ("tasks", 30), ("hardware", 8), ("times", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    given = site(wide(asked.models, asked.tasks, asked.hardware))
    started = time.perf_counter()
    made = {address.replace("/", "+"): html for address, html in pages(given)}
    made["single.html"] = single_file(given)
    seconds = time.perf_counter() - started
    sizes = {name: len(html.encode()) for name, html in made.items()}
    largest = max((name for name in sizes if name not in ("index.html", "single.html")), key=lambda name: sizes[name])
    with tempfile.TemporaryDirectory() as folder:
        for name, html in made.items():
            (Path(folder) / name).write_text(html, encoding="utf-8")
        opened = {name: times_of(Path(folder) / name, asked.times) for name in ("index.html", largest, "single.html")}
    told = {"pages": len(made), "made_in_s": round(seconds, 2), "largest_bytes": max(sizes.values())}
    print(
        json.dumps({**told, "opened": {name: {"bytes": sizes[name], **its} for name, its in opened.items()}}, indent=1)
    )


def times_of(path: Path, times: int) -> dict[str, Any]:
    """First contentful paint and end of loading of a page, in milliseconds."""
    from playwright.sync_api import sync_playwright

    found: list[tuple[float, float]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for _ in range(times):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            tab = context.new_page()
            tab.goto(path.as_uri())
            found.append(tuple(tab.evaluate(PAINTED)))
            context.close()
        browser.close()
    paint, loaded = zip(*found, strict=True)
    return {
        "first_paint_ms": {"median": round(statistics.median(paint)), "worst": round(max(paint))},
        "loaded_ms": {"median": round(statistics.median(loaded)), "worst": round(max(loaded))},
    }


if __name__ == "__main__":
    main()
