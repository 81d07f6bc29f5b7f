"""The memory that an evaluation will take, beside what is free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.accuracy.memory_need import MemoryNeed

NAMES = {"cpu": "of the machine's memory", "cuda": "of the GPU's memory"}
WORDS = {"process": "the process", "file": "the file that they are read from", "logits": "logits"}
"""Parts that are called otherwise than in JSON."""
SMALLEST = 0.02
"""Share of the whole that is worth naming."""


def told_memory(needs: Sequence[MemoryNeed]) -> Iterator[str]:
    """A line a memory: at most how much, what of, when, and whether it fits."""
    for need in needs:
        where = NAMES.get(need.device, f"of {need.device}")
        if need.unknown:
            weights = need.parts.get("weights")
            rest = f"; its weights alone are {_gb(weights)} {where}" if weights else ""
            yield f"Memory: unknown, for {need.unknown}{rest}{_free(need)}."
        else:
            bound = "about" if need.rough else "at most"
            rest = f", without {', '.join(need.without)}" if need.without else ""
            yield (
                f"Memory: {bound} {_gb(need.total or 0)} {where} while {need.phase} ({_parts(need)}){rest}{_free(need)}."
            )


def memory_document(needs: Sequence[MemoryNeed]) -> list[dict[str, Any]]:
    """The same for programs, in bytes."""
    return [
        {
            "device": need.device,
            "total": need.total,
            "parts": dict(need.parts),
            "phase": need.phase,
            "free": need.free,
            "fits": need.fits,
            "basis": _basis(need),
            "without": need.without,
            "unknown": need.unknown,
        }
        for need in needs
    ]


def _basis(need: MemoryNeed) -> str | None:
    if need.unknown:
        return None
    return "dimensions and estimated lengths" if need.rough else "dimensions and plan, an upper bound"


def _parts(need: MemoryNeed) -> str:
    parts = sorted(need.parts.items(), key=lambda part: -part[1])
    return ", ".join(
        f"{WORDS.get(name, name)} {_gb(size)}" for name, size in parts if size >= SMALLEST * (need.total or 0)
    )


def _free(need: MemoryNeed) -> str:
    if need.free is None:
        return ""
    if need.fits is False:
        return f", and {_gb(need.free)} are free: it does not fit. Take a narrower --dtype, another --device or a smaller model"
    return f"; {_gb(need.free)} are free"


def _gb(count: int) -> str:
    return f"{count / 1e9:.2g} GB" if count < 1e11 else f"{count / 1e9:,.0f} GB"
