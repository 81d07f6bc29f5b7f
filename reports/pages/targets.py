"""Where the cells of a page's tables lead: what a cell is about becomes an address, or nothing where no such page is."""

from __future__ import annotations

from collections.abc import Callable, Collection

from reports.models.grid import Target
from reports.site.addresses import board_page, comparison_page, model_page, relative, run_page, speed_page
from reports.speed.hardware import page_name

Way = Callable[[Target | None], str]


def way_from(here: str, models: Collection[str], sources: Collection[str] = ()) -> Way:
    """The link of a target as the page at `here` writes it; empty where it leads nowhere.

    models: those that have a page. sources: those that the page itself lists, each under `#source-…`.
    """

    def way(target: Target | None) -> str:
        if target is None:
            return ""
        match target.kind:
            case "web":
                return target.name
            case "source":
                return f"#source-{target.name}" if target.name in sources else ""
            case "model":
                return relative(here, model_page(target.name)) if target.name in models else ""
            case "run":
                return relative(here, run_page(target.name))
            case "board":
                return relative(here, board_page(target.name))
            case "speed":
                return relative(here, speed_page(page_name(target.name)))
            case "comparison":
                return relative(here, comparison_page(target.name, target.other))
            case "page":
                return relative(here, target.name)

    return way
