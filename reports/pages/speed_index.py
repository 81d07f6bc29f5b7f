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
from reports.speed.answer import example
from reports.speed.hardware import HardwarePage
from reports.speed.limits import Limit, Shape, limits_on
from reports.speed.lines import Cell, tokens_per_s
from reports.speed.pairs import DEFAULT, Pair, pairs_at
from reports.speed.section import SpeedRows
from zoo.arch.gpus import load_gpus
from zoo.registry.loader import Model

Found = Sequence[tuple[HardwarePage, SpeedRows]]


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
class _Timed:
    """Hardware with its points, the limits of the registry's models, and what was measured of each in the workload batch1."""

    hardware: HardwarePage
    rows: SpeedRows
    limits: dict[str, Limit]
    best: dict[str, Pair]


@dataclass(frozen=True)
class Group:
    """A microarchitecture and its lines."""

    name: str
    lines: tuple[HardwareLine, ...]


def index_page(site: SiteInput, found: Found) -> str:
    """The HTML of the first page; `found` is all hardware with the points and figures of each."""
    child, parent = example(site.registry)
    timed = [_Timed(hardware, rows, _limits(site, hardware), _best(site, rows)) for hardware, rows in found]
    lines = [_line(each, child, parent) for each in timed]
    groups = tuple(
        Group(name, tuple(line for _, line in members))
        for name, members in groupby(zip(found, lines, strict=True), key=lambda each: each[0][0].group)
    )
    return page(
        "speed_index.html.j2",
        SPEED,
        "Speed by microarchitecture",
        styles=("speed.css",),
        description="What was timed on which GPU, and what each GPU allows at most.",
        groups=groups,
        gpus=len(load_gpus()),
        architectures=len({hardware.group for hardware, *_ in found if hardware.gpu}),
        timed=sum(line.points > 0 for line in lines),
        points=sum(line.points for line in lines),
        published=sum(len(model.speeds) for model in site.registry.models.values()),
        child=child,
        parent=parent,
        shape=Shape(),
        picture=draw([_drawn(each, child, parent) for each in timed if each.hardware.gpu]) if child and parent else "",
        model_page=model_page,
        known={row.facts.id for row in site.board.rows},
    )


def _limits(site: SiteInput, hardware: HardwarePage) -> dict[str, Limit]:
    return {limit.model: limit for limit in limits_on(hardware.gpu, site.registry, Shape())} if hardware.gpu else {}


def _line(of: _Timed, child: Model | None, parent: Model | None) -> HardwareLine:
    hardware, gpu = of.hardware, of.hardware.gpu
    valid = [row for row in of.rows.points if row["valid"] and row["status"] == "ok"]
    return HardwareLine(
        name=hardware.display,
        address=speed_page(hardware.name),
        bandwidth=f"{gpu.gb_per_s:,.0f}" if gpu else "",
        bf16=f"{gpu.bf16:,.0f}" if gpu else "",
        fp8=f"{gpu.fp8:,.0f}" if gpu and gpu.fp8 else "",
        memory=f"{gpu.memory_gb:g}" if gpu else "",
        watts=f"{gpu.watts:,.0f}" if gpu else "",
        checked=gpu.checked if gpu else True,
        child=_cell(child, of),
        parent=_cell(parent, of),
        points=len(valid),
        models=len({row["model"] for row in valid}),
    )


def _drawn(of: _Timed, child: Model | None, parent: Model | None) -> GpuLine:
    def allowed(model: Model | None) -> float | None:
        limit = of.limits.get(model.id) if model else None
        return limit.rate if limit and limit.fits else None

    def timed(model: Model | None) -> float | None:
        return of.best[model.id].rate.value if model and model.id in of.best else None

    return GpuLine(of.hardware.display, allowed(child), allowed(parent), timed(child), timed(parent))


def _best(site: SiteInput, rows: SpeedRows) -> dict[str, Pair]:
    """Model → its fastest measurement in the workload batch1."""
    timed = [pair for pair in pairs_at(DEFAULT, rows, site.board, site.registry, None) if pair.source != "limit"]
    return {pair.facts.id: pair for pair in reversed(timed)}


def _cell(model: Model | None, of: _Timed) -> Cell:
    if model is None:
        return Cell()
    if model.id in of.best:
        pair = of.best[model.id]
        return Cell(number(pair.rate.value), "", pair.source, pair.run or "")
    limit = of.limits.get(model.id)
    if limit is None:
        return Cell()
    return Cell(tokens_per_s(limit.rate), "", "limit") if limit.fits else Cell("does not fit")
