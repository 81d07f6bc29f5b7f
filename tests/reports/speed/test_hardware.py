"""Every GPU of the data sheets has a page, measured or not, and so has whatever else a record was made on."""

from __future__ import annotations

from typing import Any

import pytest

from reports.site.addresses import SPEED, speed_page
from reports.speed.hardware import OTHER_GPUS, PROCESSORS, UNNAMED, HardwarePage, page_name, pages_of
from zoo.arch.gpus import load_gpus


class Seen:
    def __init__(self, *rows: dict[str, Any]) -> None:
        self.seen = rows

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return [{"gpu": None, "processor": None, "device": None, "capability": None, **row} for row in self.seen]


def others(*rows: dict[str, Any]) -> list[HardwarePage]:
    return [page for page in pages_of(Seen(*rows)) if page.gpu is None]


def test_every_gpu_of_the_data_sheets_has_a_page_though_nothing_was_run():
    assert [page.name for page in pages_of(Seen())] == list(load_gpus())
    assert {page.seen_as for page in pages_of(Seen())} == {()}


@pytest.mark.parametrize("named", ["NVIDIA H200", "H200", "nvidia h200".upper(), " H200 ", "h200"])
def test_a_product_name_leads_to_its_data_sheet(named: str):
    assert page_name(named) == "h200"


def test_a_slice_of_a_gpu_is_no_gpu_of_the_data_sheets():
    assert page_name("NVIDIA H200 MIG 1g.18gb") == "NVIDIA H200 MIG 1g.18gb"


def test_records_are_found_under_the_names_that_they_have():
    rows = [{"gpu": "NVIDIA H200", "processor": "AMD EPYC", "device": "cuda:0"}, {"gpu": "H200", "device": "cuda"}]
    found = {page.name: page for page in pages_of(Seen(*rows))}
    assert found["h200"].seen_as == ("H200", "NVIDIA H200")
    assert "AMD EPYC" not in found


def test_other_hardware_stands_behind_by_what_it_is():
    rows = [
        {"processor": "AMD EPYC", "device": "cpu"},
        {"device": "cpu"},
        {"gpu": "Unheard Of 9"},
        {"gpu": "Unheard Of 10", "capability": "9.0"},
        {"gpu": "Unheard Of 10"},
        {},
    ]
    assert [(page.display, page.group) for page in others(*rows)] == [
        ("Unheard Of 10", "Hopper"),
        ("Unheard Of 9", OTHER_GPUS),
        ("AMD EPYC", PROCESSORS),
        (UNNAMED, UNNAMED),
        ("cpu", UNNAMED),
    ]


def test_rows_in_any_order_give_the_same_pages():
    rows = [{"processor": name, "device": "cpu"} for name in ("b", "a", "c")]
    assert others(*rows) == others(*rows[::-1])


def test_hardware_that_calls_itself_index_does_not_take_the_first_page():
    assert speed_page(page_name("index")) != SPEED


def test_addresses_of_pages_are_all_different():
    rows = [{"gpu": name} for name in ("L4", "l4 ", "a b", "a-b", "A-B", "index", "Index")]
    addresses = [speed_page(page.name) for page in pages_of(Seen(*rows))]
    assert len(set(addresses)) == len(addresses)
