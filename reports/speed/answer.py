"""The sentences at the head of a speed page: what is fastest and what gains most over a parent, else what is allowed."""

from __future__ import annotations

from collections.abc import Sequence

from reports.board.model import Board, SpeedUp
from reports.cells import interval, number
from reports.speed.hardware import HardwarePage
from reports.speed.limits import Limit
from reports.speed.lines import tokens_per_s
from reports.speed.pairs import DEFAULT, Measured, Setting, pairs_at, settings_of
from reports.speed.section import SpeedRows
from zoo.registry.loader import Model, Registry

LONGEST_NAME = 80


def answer(
    board: Board, registry: Registry, rows: SpeedRows, limits: Sequence[Limit], hardware: HardwarePage
) -> tuple[str, ...]:
    """One or two sentences. Among settings the one with the smallest batch speaks."""
    setting = settings_of(rows)[0]
    timed = [pair for pair in pairs_at(setting, rows, board, registry, None) if pair.source != "limit"]
    if not timed:
        return (f"No model was timed here yet{_allowed(registry, limits)}",)
    best = timed[0]
    models = len({pair.facts.id for pair in timed})
    fastest = (
        f"Fastest of {models} model{'' if models == 1 else 's'} timed at {at(setting)}: {brief(best.facts.display)}, "
        f"{_told(best.rate)} output tokens/s ({brief(best.way)})."
    )
    gain = _gain(board, hardware)
    return (fastest, gain) if gain else (fastest,)


def at(setting: Setting) -> str:
    """A setting in words."""
    return f"batch {setting.batch:,}, {setting.input:,} tokens in, {setting.output:,} out"


def example(registry: Registry) -> tuple[Model | None, Model | None]:
    """The model that stands for all where nothing was measured, and its parent: the first with a published speed-up over it."""
    for model in registry.models.values():
        if model.speeds and model.speeds[0].against in registry.models:
            return model, registry.models[model.speeds[0].against]
    return None, None


def brief(name: str) -> str:
    """A name short enough for a heading or a sentence."""
    told = " ".join(name.split())
    return told if len(told) <= LONGEST_NAME else f"{told[: LONGEST_NAME - 1]}…"


def _gain(board: Board, hardware: HardwarePage) -> str:
    """The speed-up with the highest lower end that was measured on this hardware."""
    found = [
        (up, row.facts.display)
        for row in board.rows
        for up in row.speedups
        if up.hardware in hardware.seen_as and up.source == "measured" and up.lower is not None
    ]
    if not found:
        return ""
    up, name = max(found, key=lambda each: (_lower(each[0]), each[1], each[0].rule))
    return (
        f"Most gained over a parent: {brief(name)} runs {_told(Measured(up.ratio, up.lower, up.upper))} times as fast as "
        f"{brief(up.against)} at {up.rule}."
    )


def _lower(up: SpeedUp) -> float:
    return up.lower or 0.0


def _allowed(registry: Registry, limits: Sequence[Limit]) -> str:
    """What the data sheet allows the example and its parent, else the fastest model that fits."""
    allowed = {limit.model: limit.rate for limit in limits if limit.fits}
    if not allowed:
        return ", and no data sheet of it is known that would set a limit."
    child, parent = example(registry)
    if child and parent and child.id in allowed and parent.id in allowed:
        ours, theirs = allowed[child.id], allowed[parent.id]
        return (
            f". By its data sheet {child.display} reaches at most {tokens_per_s(ours)} output tokens/s at {at(DEFAULT)}, "
            f"{ours / theirs:.1f} times its parent {parent.display}."
        )
    best = max(allowed, key=lambda model: allowed[model])
    return f". By its data sheet {best}, the fastest that fits, reaches at most {tokens_per_s(allowed[best])} tokens/s."


def _told(figure: Measured) -> str:
    ends = interval(figure.lower, figure.upper)
    return f"{number(figure.value)}{f' [{ends}]' if ends else ''}"
