"""The first speed page: every GPU by microarchitecture, what it allows a compressed model and its parent, what was timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from reports.cells import number
from reports.charts.gpus import GpuLine, draw
from reports.site.addresses import SPEED, model_page, speed_page
from reports.site.frame import page
from reports.site.input import SiteInput
from reports.speed.hardware import HardwarePage
from reports.speed.limits import Limit, Shape
from reports.speed.lines import Cell, tokens_per_s
from reports.speed.pairs import DEFAULT, Pair, pairs_at
from reports.speed.section import SpeedRows
from zoo.arch.gpus import load_gpus
from zoo.registry.loader import Model, Registry

Found = Sequence[tuple[HardwarePage, SpeedRows, tuple[Limit, ...]]]


@dataclass(frozen=True)
class HardwareLine:
    """A GPU or processor, as text; the figures of its data sheet are empty where there is none."""

    name: str
    address: str
    bandwidth: str
    bf16: str
    fp8: str
    memory: str
    watts: str
    checked: bool
    child: Cell
    parent: Cell
    """Output tokens a second of the example and of its parent: measured, else at most."""
    points: int
    models: int
    """Valid points, and models that were timed."""


@dataclass(frozen=True)
class Group:
    """A microarchitecture and its lines."""

    name: str
    lines: tuple[HardwareLine, ...]


def index_page(site: SiteInput, found: Found) -> str:
    """The HTML of the first page."""
    child, parent = example(site.registry)
    lines = [_line(site, *each, child, parent) for each in found]
    groups = tuple(
        Group(name, tuple(line for _, line in members))
        for name, members in groupby(zip(found, lines, strict=True), key=lambda each: each[0][0].group)
    )
    timed = sum(line.points > 0 for line in lines)
    return page(
        "speed_index.html.j2",
        SPEED,
        "Speed by microarchitecture",
        styles=("speed.css",),
        description="What was timed on which GPU, and what each GPU allows at most.",
        groups=groups,
        gpus=len(load_gpus()),
        architectures=len({hardware.group for hardware, *_ in found if hardware.gpu}),
        timed=timed,
        points=sum(line.points for line in lines),
        published=sum(len(model.speeds) for model in site.registry.models.values()),
        child=child,
        parent=parent,
        shape=Shape(),
        picture=draw([_drawn(site, *each, child, parent) for each in found if each[0].gpu]) if child and parent else "",
        model_page=model_page,
        known={row.facts.id for row in site.board.rows},
    )


def example(registry: Registry) -> tuple[Model | None, Model | None]:
    """The model that stands for all in the picture, and its parent: the first of which a speed-up over it is published."""
    for model in registry.models.values():
        if model.speeds and model.speeds[0].against in registry.models:
            return model, registry.models[model.speeds[0].against]
    return None, None


def _line(
    site: SiteInput,
    hardware: HardwarePage,
    rows: SpeedRows,
    limits: Sequence[Limit],
    child: Model | None,
    parent: Model | None,
) -> HardwareLine:
    gpu = hardware.gpu
    valid = [row for row in rows.points if row["valid"] and row["status"] == "ok"]
    best = _best(site, rows)
    return HardwareLine(
        name=hardware.display,
        address=speed_page(hardware.name),
        bandwidth=f"{gpu.gb_per_s:,.0f}" if gpu else "",
        bf16=f"{gpu.bf16:,.0f}" if gpu else "",
        fp8=f"{gpu.fp8:,.0f}" if gpu and gpu.fp8 else "",
        memory=f"{gpu.memory_gb:g}" if gpu else "",
        watts=f"{gpu.watts:,.0f}" if gpu else "",
        checked=gpu.checked if gpu else True,
        child=_cell(child, best, limits),
        parent=_cell(parent, best, limits),
        points=len(valid),
        models=len({row["model"] for row in valid}),
    )


def _drawn(
    site: SiteInput,
    hardware: HardwarePage,
    rows: SpeedRows,
    limits: Sequence[Limit],
    child: Model | None,
    parent: Model | None,
) -> GpuLine:
    best = _best(site, rows)
    allowed = {limit.model: limit.rate for limit in limits if limit.fits}

    def timed(model: Model | None) -> float | None:
        return best[model.id].rate.value if model and model.id in best else None

    return GpuLine(
        hardware.display,
        allowed.get(child.id) if child else None,
        allowed.get(parent.id) if parent else None,
        timed(child),
        timed(parent),
    )


def _best(site: SiteInput, rows: SpeedRows) -> dict[str, Pair]:
    """Model → its fastest measurement in the workload batch1."""
    timed = [pair for pair in pairs_at(DEFAULT, rows, site.board, site.registry, None) if pair.source != "limit"]
    return {pair.facts.id: pair for pair in reversed(timed)}


def _cell(model: Model | None, best: dict[str, Pair], limits: Sequence[Limit]) -> Cell:
    if model is None:
        return Cell()
    if model.id in best:
        pair = best[model.id]
        return Cell(number(pair.rate.value), "", pair.source, pair.run or "")
    limit = next((limit for limit in limits if limit.model == model.id), None)
    if limit is None:
        return Cell()
    return Cell(tokens_per_s(limit.rate), "", "limit") if limit.fits else Cell("does not fit")
