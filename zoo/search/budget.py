"""What a child may cost: `params=50%`, `memory=20GB@8192x1`, `latency=12ms@H100:batch=1,context=4096`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from zoo.arch.gpus import load_gpus
from zoo.arch.parameters import BITS, Dtype
from zoo.errors import InvalidBudget
from zoo.names import closest

Kind = Literal["params", "memory", "latency"]
GRAMMAR = (
    "Write params=50%, params=8.4B, memory=20GB@8192x1 (context x batch; then :weights=int4,kv=float8) or "
    "latency=12ms@H100 (then :batch=1,context=4096); each may be a share of the parent's, such as 60%."
)
CPU = "cpu"
"""The device of a latency that is this machine's processor."""
LATENCY_CONTEXT = 4096
"""Tokens in the cache where a latency does not say; fewer where the parent's context is shorter."""
UNITS: Mapping[Kind, Mapping[str, float]] = {
    "params": {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12},
    "memory": {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30},
    "latency": {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
}
AMOUNT = re.compile(r"(?P<number>\d+(?:[._]\d+)*(?:e[+-]?\d+)?)\s*(?P<unit>[a-zµ]*|%)", re.IGNORECASE)
PLACE = re.compile(r"(?P<context>\d+)\s*[x×]\s*(?P<batch>\d+)", re.IGNORECASE)
SETTINGS: Mapping[Kind, tuple[str, ...]] = {
    "params": (),
    "memory": ("weights", "kv"),
    "latency": ("batch", "context", "weights", "kv"),
}


@dataclass(frozen=True)
class Budget:
    """What a child may cost. One of `amount` (parameters, bytes or seconds) and `share` (of the parent's) is given.

    `batch` and `context` are of memory and latency; a context of 0 is taken from the parent. `device` is a GPU's id in
    gpus.yaml, or `cpu`: this machine.
    """

    kind: Kind
    text: str
    amount: float | None = None
    share: float | None = None
    batch: int = 1
    context: int = 0
    device: str | None = None
    weights: Dtype = "bfloat16"
    kv: Dtype = "bfloat16"

    def wanted(self, parents: float) -> float:
        """The budget in its own unit, for a parent that costs so much."""
        return self.amount if self.amount is not None else (self.share or 0.0) * parents


def parse_budget(text: str) -> Budget:
    """The budget of a command line. Raises InvalidBudget, with what is wrong and how it is written.

    >>> parse_budget("params=50%").share
    0.5
    >>> budget = parse_budget("memory=20GB@8192x2:weights=int4")
    >>> budget.amount, budget.context, budget.batch, budget.weights, budget.kv
    (20000000000.0, 8192, 2, 'int4', 'bfloat16')
    >>> parse_budget("latency=12ms@h100-sxm:batch=8,context=2048").device
    'h100-sxm'
    """
    kind, equals, rest = text.strip().partition("=")
    if not equals or kind not in UNITS:
        near = closest(kind, UNITS) if kind else None
        hint = f"Did you mean {near}? " if near and near != kind else ""
        raise InvalidBudget(f"'{text}' is no budget.", f"{hint}{GRAMMAR}")
    kind = cast(Kind, kind)
    rest, _, settings = rest.partition(":")
    amount, _, place = rest.partition("@")
    number, share = _amount(kind, amount.strip(), text)
    found = _settings(kind, settings, text)
    device = None
    if kind == "params":
        if place:
            raise InvalidBudget(f"'{text}' says where parameters are counted, which is nowhere.", GRAMMAR)
    elif kind == "memory":
        found |= _place(place.strip(), text)
    else:
        device = _device(place.strip(), text)
    return Budget(kind, text.strip(), number, share, device=device, **found)  # pyright: ignore[reportArgumentType]


def _amount(kind: Kind, text: str, whole: str) -> tuple[float | None, float | None]:
    """The number in the kind's own unit, or the share."""
    found = AMOUNT.fullmatch(text)
    if found is None:
        raise InvalidBudget(f"'{text}' in '{whole}' is no amount.", GRAMMAR)
    value = float(found["number"].replace("_", ""))
    unit = found["unit"].lower()
    if not (math.isfinite(value) and value > 0):
        raise InvalidBudget(f"'{whole}' leaves nothing.", GRAMMAR)
    if unit == "%":
        if value > 100:
            raise InvalidBudget(f"'{whole}' is more than the parent, and pruning only shrinks.", GRAMMAR)
        return None, value / 100
    if unit not in UNITS[kind]:
        known = ", ".join(name for name in UNITS[kind] if name)
        raise InvalidBudget(f"'{text}' in '{whole}' has no unit of {kind}.", f"Give one of {known}, or %. {GRAMMAR}")
    return value * UNITS[kind][unit], None


def _place(text: str, whole: str) -> dict[str, int | str]:
    found = PLACE.fullmatch(text)
    if found is None:
        raise InvalidBudget(f"'{whole}' does not say of which context and batch the memory is.", GRAMMAR)
    return {"context": _count("context", found["context"], whole), "batch": _count("batch", found["batch"], whole)}


def _settings(kind: Kind, text: str, whole: str) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for word in filter(None, map(str.strip, text.split(","))):
        name, equals, value = word.partition("=")
        if not equals or name not in SETTINGS[kind] or name in found:
            known = ", ".join(SETTINGS[kind]) or "none"
            raise InvalidBudget(f"'{word}' in '{whole}' is no setting of {kind} (there are: {known}).", GRAMMAR)
        if name in ("batch", "context"):
            found[name] = _count(name, value, whole)
        elif value in BITS:
            found[name] = value
        else:
            raise InvalidBudget(f"'{value}' in '{whole}' is no dtype.", f"Take one of {', '.join(BITS)}.")
    return found


def _count(name: str, text: str, whole: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) < 1 << 31:
        raise InvalidBudget(f"{name} in '{whole}' is {text!r}, no number of 1 or more.", GRAMMAR)
    return int(text)


def _device(text: str, whole: str) -> str:
    """The id of a GPU; a word that several begin with (H100) is the first of them, as gpus.yaml lists them."""
    word = text.lower().replace(" ", "-")
    if word == CPU:
        return CPU
    if not word:
        raise InvalidBudget(f"'{whole}' does not say on which GPU the latency is.", GRAMMAR)
    known = load_gpus()
    if word in known:
        return word
    begun = [name for name in known if name.startswith(f"{word}-")]
    if begun:
        return begun[0]
    near = closest(word, known)
    hint = f"Did you mean {near}? " if near else ""
    raise InvalidBudget(f"There are no figures of a GPU '{text}'.", f"{hint}Known are {', '.join(known)}, and {CPU}.")
