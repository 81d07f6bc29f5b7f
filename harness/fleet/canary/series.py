"""The series of speeds over nights, a value a night, and whether the last night's stretch is worse than an earlier one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean, median
from typing import Literal, NamedTuple

from harness.metrics.speed_metrics import load_metrics
from harness.records.night import CanaryBlocks
from harness.stats.change_points import SIGNIFICANCE, WINDOW, shift_p, stretches

NIGHTS_NEEDED = 5
"""Earlier nights of a series before it is tested: of fewer, Student's t asks for a change that nobody needs a test to see."""
NIGHTS_OF_A_REFERENCE = 3
"""A shorter stretch is no level to be held against: a night that was fast by luck would accuse every later one."""
Kind = Literal["ratio", "canary"]


class Key(NamedTuple):
    """What one series is of. Two nights that differ in any of it are never compared."""

    kind: Kind
    model: str
    workload: str
    point: str
    metric: str
    backend: str
    """The candidate's; empty of a canary's own series, whose engine is in the pin."""
    device: str
    machine: str
    """The GPU's UUID; of a CPU the host."""
    pin: str


@dataclass
class Point:
    """A night of a series."""

    night: str
    started_at: datetime | None
    """None for tonight."""
    value: float
    """Logarithm, larger is better: of candidate/canary, or of the canary's own speed."""
    jobs: tuple[str, ...]
    changed_by: Mapping[str, str]


@dataclass(frozen=True)
class Moved:
    """The last stretch against an earlier one: indices into the points, the change of the logarithm and its p-value."""

    reference: range
    now: range
    change: float
    last: float
    """The change of the last night alone."""
    p_value: float

    @property
    def share(self) -> float:
        """The change as a share: -0.05 is 5 % slower."""
        return math.expm1(self.change)


@dataclass
class _Gathered:
    values: list[float] = field(default_factory=list[float])
    jobs: list[str] = field(default_factory=list[str])
    changed_by: dict[str, str] = field(default_factory=dict[str, str])


def points_of(night: str, started_at: datetime | None, blocks: Sequence[CanaryBlocks]) -> dict[Key, Point]:
    """A night's value of every series that it has: the median over its blocks.

    Where a job was repeated the same night, what the repetition measured takes its place.
    """
    gathered: dict[Key, _Gathered] = {}
    for one in standing(blocks):
        for key, values in _values(one).items():
            into = gathered.setdefault(key, _Gathered())
            into.values += values
            into.jobs += [] if one.job in into.jobs else [one.job]
            into.changed_by |= one.changed_by
    return {
        key: Point(night, started_at, median(g.values), tuple(g.jobs), g.changed_by)
        for key, g in gathered.items()
        if g.values
    }


def standing(blocks: Sequence[CanaryBlocks]) -> list[CanaryBlocks]:
    """Those that no repetition has taken the place of; one without any value takes nobody's place."""
    replaced = {(b.recheck_of, b.point, b.metric) for b in blocks if b.recheck_of and b.candidate}
    return [b for b in blocks if (b.job, b.point, b.metric) not in replaced]


def key_of(one: CanaryBlocks, kind: Kind = "ratio") -> Key:
    """The series that these blocks belong to."""
    model, backend = (one.model, one.backend) if kind == "ratio" else (one.canary_model, "")
    machine = one.gpu_uuid or one.host
    return Key(kind, model, one.workload, one.point, one.metric, backend, one.device, machine, one.canary_pin)


def moved(values: Sequence[float], least: float, nights: int = 1, significance: float = SIGNIFICANCE) -> Moved | None:
    """The last stretch where it is worse than an earlier one, both as a whole and on its last night; None where it is not.

    `least`: the share by which it must be slower, at least. `nights`: how many the last stretch must have. Of several earlier
    stretches the one that it lies farthest below: so that a creeping loss is held against where it began. Values are
    logarithms, larger is better.
    """
    found = _stretches(values, significance)
    if len(found) < 2 or len(found[-1]) < nights:
        return None
    told = [one for before in found[:-1] if (one := _against(values, before, found[-1], significance))]
    far = [one for one in told if max(one.change, one.last) <= math.log1p(-least)]
    return min(far, key=lambda one: one.change, default=None)


def gained(values: Sequence[float], least: float, significance: float = SIGNIFICANCE) -> Moved | None:
    """The last stretch where it is better than the one before; None where it is not. Otherwise as `moved`."""
    found = _stretches(values, significance)
    one = _against(values, found[-2], found[-1], significance) if len(found) > 1 else None
    return one if one and min(one.change, one.last) >= math.log1p(least) else None


def _stretches(values: Sequence[float], significance: float) -> list[range]:
    """Those of the last WINDOW values; none where there are too few to test."""
    if len(values) <= NIGHTS_NEEDED:
        return []
    start = max(0, len(values) - WINDOW)
    return [range(one.start + start, one.stop + start) for one in stretches(values[start:], significance)]


def _against(values: Sequence[float], before: range, now: range, significance: float) -> Moved | None:
    """The two stretches; None where they do not differ, or the earlier one is too short to be a level."""
    old, new = ([values[place] for place in places] for places in (before, now))
    p_value = shift_p(old, new)
    if len(old) < NIGHTS_OF_A_REFERENCE or p_value > significance:
        return None
    level = fmean(old)
    return Moved(before, now, fmean(new) - level, new[-1] - level, p_value)


def _values(one: CanaryBlocks) -> dict[Key, list[float]]:
    sign = 1 if load_metrics()[one.metric].higher_is_better else -1
    pairs = list(zip(one.candidate, one.canary, strict=True))
    return {
        key_of(one): [sign * math.log(ours / theirs) for ours, theirs in pairs],
        key_of(one, "canary"): [sign * math.log(theirs) for _, theirs in pairs],
    }
