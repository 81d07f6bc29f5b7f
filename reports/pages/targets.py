"""Where the cells of a page's tables lead: what a cell is about becomes an address, or nothing where no such page is."""

from __future__ import annotations

from collections.abc import Callable, Collection

from reports.models.grid import Target
from reports.site.addresses import board_page, comparison_page, model_page, relative, run_page, speed_page
from reports.site.input import SiteInput
from reports.speed.hardware import page_name, pages_of

Way = Callable[[Target | None], str]


def hardware_of(site: SiteInput) -> frozenset[str]:
    """The names of the speed pages. What a source prints (`H100 80 GB`) may name no machine that has one."""
    return frozenset(found.name for found in pages_of(site.reader))


def way_from(here: str, models: Collection[str], hardware: Collection[str], sources: Collection[str] = ()) -> Way:
    """The link of a target as the page at `here` writes it; empty where it leads nowhere.

    models, hardware: those that have a page, hardware by the page's name. sources: those that the page itself lists, each
    under `#source-…`.
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
                name = page_name(target.name)
                return relative(here, speed_page(name)) if name in hardware else ""
            case "comparison":
                return relative(here, comparison_page(target.name, target.other))
            case "page":
                return relative(here, target.name)

    return way
