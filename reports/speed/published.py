"""Published speed-ups, under every GPU that the source may mean: `H100 80 GB` is an SXM board or a PCIe one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reports.cells import ABSENT, count
from zoo.arch.gpus import Gpu
from zoo.registry.loader import Registry
from zoo.registry.published import Speed

MEMORY = re.compile(r"(\d+)\s*GB", re.IGNORECASE)


@dataclass(frozen=True)
class PublishedLine:
    """A speed-up as its source prints it. The source gives no interval."""

    model: str
    against: str
    ratio: str
    what: str
    how: str
    """Engine, dtype."""
    batches: str
    gpu: str
    """As the source names it."""
    source: str
    where: str
    quote: str
    url: str


def published_on(gpu: Gpu, registry: Registry) -> tuple[PublishedLine, ...]:
    """In the registry's order."""
    return tuple(
        _line(model.id, speed, registry)
        for model in registry.models.values()
        for speed in model.speeds
        if may_mean(speed.gpu, gpu)
    )


def may_mean(named: str, gpu: Gpu) -> bool:
    """Whether a source that names a GPU so may mean that product: no word that its names lack, and no other memory."""
    memory = MEMORY.search(named)
    if memory and float(memory.group(1)) != gpu.memory_gb:
        return False
    said = _words(MEMORY.sub(" ", named)) - {"nvidia"}
    return bool(said) and said <= _words(" ".join((gpu.display, *gpu.names)))


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", name.lower()))


def _line(model: str, speed: Speed, registry: Registry) -> PublishedLine:
    source = registry.sources[speed.source]
    same = speed.batch is None and speed.against_batch is None
    return PublishedLine(
        model=model,
        against=speed.against,
        ratio=f"{speed.ratio:g}",
        what=speed.metric,
        how=f"{speed.engine}, {speed.dtype}",
        batches=ABSENT if same else f"{count(speed.batch)} : {count(speed.against_batch)}",
        gpu=speed.gpu,
        source=source.title,
        where=speed.where or "",
        quote=speed.quote or "",
        url=source.url or "",
    )
