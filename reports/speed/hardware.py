"""Which hardware has a speed page, and its name there: the one place that decides it.

Every GPU of zoo/arch/gpus.yaml has a page, measured or not, and so has whatever else a record was made on. A link to the page
of a board row, a run or a speed-up: `link(speed_page(page_name(row.hardware)))`, by the product name as records have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from reports.cells import text
from zoo.arch.gpus import Gpu, load_gpus, microarchitecture

PROCESSORS = "Processors"
OTHER_GPUS = "Other GPUs"
UNNAMED = "Not named"
"""Groups of hardware that gpus.yaml has no microarchitecture for."""
INDEX = "index"
"""The name of the speed pages' own first page."""

SEEN = """
SELECT gpu, processor, device, max(capability) AS capability FROM (
  SELECT r.gpu, r.processor, r.device, NULL AS capability FROM records r
  UNION ALL
  SELECT r.gpu, r.processor, r.device, json_extract_string(r.record, '$.speed.machine.capability')
  FROM speed_points p JOIN records r USING (run_id, task) WHERE r.gpu IS NOT NULL
) GROUP BY ALL
"""


class Rows(Protocol):
    """What answers a query: `harness.store.query.Reader`."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query."""
        ...


@dataclass(frozen=True)
class HardwarePage:
    """Hardware that has a page."""

    name: str
    """For `reports.site.addresses.speed_page`: a GPU's id in gpus.yaml, or the name of what is not in it."""
    display: str
    group: str
    """Its microarchitecture, or what else it is."""
    gpu: Gpu | None = None
    """Its data sheet, where gpus.yaml has it."""
    seen_as: tuple[str, ...] = field(default=())
    """The names under which records have it; empty where nothing was run on it."""


def pages_of(reader: Rows) -> tuple[HardwarePage, ...]:
    """All hardware that has a page: GPUs of gpus.yaml in its order, then other GPUs, processors and what else records name."""
    seen: dict[str, dict[str, set[str]]] = {}
    for row in reader.rows(SEEN):
        names = seen.setdefault(page_name(hardware_of(row)), {})
        names.setdefault(hardware_of(row), set()).add(_group(row))
    sheets = load_gpus()
    known = [
        HardwarePage(key, g.display, microarchitecture(g.capability) or OTHER_GPUS, g, tuple(sorted(seen.get(key, ()))))
        for key, g in sheets.items()
    ]
    order = [*dict.fromkeys(page.group for page in known), OTHER_GPUS, PROCESSORS, UNNAMED]
    others = [
        HardwarePage(
            name, min(names) or UNNAMED, min(set().union(*names.values()), key=order.index), None, tuple(sorted(names))
        )
        for name, names in seen.items()
        if name not in sheets
    ]
    return (*known, *sorted(others, key=lambda page: (order.index(page.group), page.name)))


def hardware_of(row: Mapping[str, Any]) -> str:
    """The name of what a record was made on: its GPU's product name, else the processor's, else the device."""
    return text(row.get("gpu")) or text(row.get("processor")) or text(row.get("device"))


def page_name(hardware: str) -> str:
    """The name of the page of that hardware: by a GPU's id in gpus.yaml, any of its product names, or any other name."""
    plain = hardware.strip().removeprefix("NVIDIA ").strip().lower()
    for name, gpu in load_gpus().items():
        if plain in {name, *(known.lower() for known in gpu.names)}:
            return name
    return hardware.capitalize() if hardware == INDEX else hardware


def _group(row: Mapping[str, Any]) -> str:
    if row.get("gpu"):
        return microarchitecture(text(row.get("capability"))) or OTHER_GPUS
    return PROCESSORS if row.get("processor") else UNNAMED
