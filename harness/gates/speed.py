"""The speed rows of a plan and their tests: ratios of trials taken in turn, or of other tools' files, which nobody watched."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import median
from typing import ClassVar, NamedTuple

import numpy as np

from harness.compare.items import Side
from harness.gates.loading import PolicyFile
from harness.gates.outcome import Findings, Kind, Numbers
from harness.gates.plan import Absent, Pair, in_words
from harness.gates.policy import Policy, SpeedEntry
from harness.metrics.speed_metrics import load_metrics
from harness.records.record import Record
from harness.records.speed_record import SpeedFacts
from harness.stats.paired.power import real_detectable
from harness.stats.paired.ratio import fewest_pairs, paired_ratio, slowdown_p, unpaired_ratio
from harness.stats.paired.real import paired_mean
from zoo.yaml_nodes import YamlPath

UNWATCHED = "conditions unwatched"
"""Said of every verdict on imported speeds."""
TrialsOf = Callable[[Record, str], Sequence[float]]
"""A record's trials by a metric, one value a trial in the order in which they ran; none where they are gone."""


def no_trials(record: Record, metric: str) -> Sequence[float]:
    """Where nobody gave a way to read them."""
    return ()


class Place(NamedTuple):
    """A point of a workload on a device."""

    workload: str
    point: str
    device: str
    """The GPU by its name, else what the record says."""


class Trials(NamedTuple):
    """What is compared: one value a trial or a file."""

    reference: Sequence[float]
    candidate: Sequence[float]
    in_turn: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PlannedSpeed:
    """A speed row of the plan; `absent` where no test is possible, and why."""

    pair: Pair
    entry: SpeedEntry
    path: YamlPath
    place: Place
    absent: Absent | None = None
    total: None = None
    """Trials have no end."""

    kind: ClassVar[Kind] = "speed"

    @property
    def about(self) -> tuple[str, str, str]:
        """Workload and point, metric, and in the filter's place the device."""
        task = ".".join(part for part in self.place[:2] if part)
        return task, self.entry.metric, self.place.device


@dataclass(frozen=True)
class SpeedFindings(Findings):
    """The numbers of a speed entry, with the log ratios that its power depends on."""

    gains: Sequence[float]
    """Log ratios of the pairs; of imported files, of each candidate's to the reference's median."""
    slowdown: float
    in_turn: bool

    @property
    def unit(self) -> str:
        """What is counted."""
        return "pairs of trials" if self.in_turn else "files a side"

    def would_find(self, alpha: float, power: float, flips: float | None) -> bool:
        """By the spread of the log ratios, and never with fewer pairs than a p-value of `alpha` needs."""
        if self.numbers.n < self._fewest(alpha):
            return False
        least = self._detectable(alpha, power)
        return least is None or least <= -math.log1p(-self.slowdown)

    def needed(self, alpha: float, power: float) -> int | None:
        """As many pairs as a p-value of `alpha` needs at least, and n·(detectable/margin)²."""
        least, n = self._detectable(alpha, power), self.numbers.n
        by_spread = math.ceil(n * (least / -math.log1p(-self.slowdown)) ** 2) if least else 0
        return max(self._fewest(alpha), by_spread)

    def _fewest(self, alpha: float) -> int:
        if self.in_turn:
            return fewest_pairs(alpha)
        n = 1  # files a side: all of one above all of the other is one order in C(2n, n)
        while 1 / math.comb(2 * n, n) > alpha:
            n += 1
        return n

    def _detectable(self, alpha: float, power: float) -> float | None:
        """The smallest log slow-down, by Student's t; None of ratios that do not differ."""
        mean = paired_mean(self.gains)
        spread = 1.0 if self.in_turn else math.sqrt(2)
        return real_detectable((mean.stderr or 0.0) * spread, mean.freedom, alpha, power)


def planned_speed(file: PolicyFile, pair: Pair) -> tuple[list[PlannedSpeed], list[str]]:
    """The speed rows of a pair, and the entries that do not apply to it."""
    rows: list[PlannedSpeed] = []
    idle: list[str] = []
    for at, entry in enumerate(file.policy.speed):
        places = _places((*pair.a.speed, *pair.b.speed), entry)
        rows += [PlannedSpeed(pair, entry, ("speed", at), place) for place in places]
        if not places and entry.is_required:
            why: Absent = ("MISSING", "neither side has a record of it")
            rows.append(PlannedSpeed(pair, entry, ("speed", at), Place(entry.workload, entry.point or "", ""), why))
        elif not places:
            idle.append("speeds" if entry.workload == "*" else f"speed of {entry.workload}")
    return rows, idle


def _places(records: Sequence[Record], entry: SpeedEntry) -> list[Place]:
    """Where either side measured; points that were only measured for a comparison at equal memory are in no plan."""
    shared = _by_memory(records)
    found = [place for record in records if (place := _at(record)) and (record.run_id, record.task) not in shared]
    fits = [p for p in found if fnmatchcase(p.workload, entry.workload) and fnmatchcase(p.point, entry.point or "*")]
    return list(dict.fromkeys(fits))


def _by_memory(records: Iterable[Record]) -> set[tuple[str, str]]:
    """(run, task) of the records that are part of comparisons at equal memory and of none at an equal batch."""
    by_mode: dict[str, set[tuple[str, str]]] = {"equal memory": set(), "equal batch": set()}
    batches = {(r.run_id, r.speed.batch): r.task for r in records if r.speed}
    for record in records:
        for one in record.speed.comparisons if record.speed else ():
            other = batches.get((one.against_run_id, one.against_batch))
            by_mode[one.mode] |= {(record.run_id, record.task), *([(one.against_run_id, other)] if other else [])}
    return by_mode["equal memory"] - by_mode["equal batch"]


def find_speed(row: PlannedSpeed, policy: Policy, trials_of: TrialsOf) -> SpeedFindings | Absent:
    """The tests of a speed row: of trials taken in turn, else of other tools' files where the entry takes them."""
    found = _measured(row, trials_of)
    if not isinstance(found, Trials) and row.entry.accept == "imported":
        found = _imported(row)
    if not isinstance(found, Trials):
        return found
    try:
        return _findings(row.entry, policy, found)
    except ValueError as error:
        return "MISSING", f"the trials give no ratio: {error}"


def _measured(row: PlannedSpeed, trials_of: TrialsOf) -> Trials | Absent:
    pair = _in_turn(row.pair.a, row.pair.b, row.place)
    if pair is None:
        return "MISSING", row.pair.no_candidate or _why_none(row)
    ours, theirs = pair
    for side, record in zip((row.pair.a, row.pair.b), (theirs, ours), strict=True):
        if problem := _invalid(record):
            return "MISSING", f"{in_words(side)}: {problem}"
    values = [trials_of(record, row.entry.metric) for record in (theirs, ours)]
    if not all(values):
        return "MISSING", f"the trials of {row.entry.metric} are gone, or it has none a trial"
    drawn = any(record.speed and record.speed.weights == "random" for record in pair)
    return Trials(values[0], values[1], True, ("random weights",) if drawn else ())


def _in_turn(a: Side, b: Side, place: Place) -> tuple[Record, Record] | None:
    """The newest records (candidate's, reference's) of that point that were measured in turn with one another, at one batch."""
    ours, theirs = ({r.run_id: r for r in side.speed if _at(r) == place} for side in (b, a))
    found = [
        (ours[one.run_id], theirs[other])
        for one, other in _linked(ours.values())
        if other in theirs and one.run_id in ours
    ]
    found += [(ours[other], theirs[one.run_id]) for one, other in _linked(theirs.values()) if other in ours]
    return max(found, key=lambda pair: pair[0].finished_at, default=None)


def _linked(records: Iterable[Record]) -> list[tuple[Record, str]]:
    """Each record with the runs that it was compared with at an equal batch."""
    return [
        (record, one.against_run_id)
        for record in records if record.speed
        for one in record.speed.comparisons if one.mode == "equal batch"
    ]  # fmt: skip


def _at(record: Record) -> Place | None:
    speed, setting = record.speed, record.setting
    return Place(speed.workload, speed.point, setting.gpu or setting.device) if speed else None


def _invalid(record: Record) -> str | None:
    """Why a measured record cannot be used, with the codes of its reasons; None where it can."""
    facts = record.speed
    if facts is None or record.status != "ok":
        return f"the measurement failed: {record.reason or 'no reason recorded'} ({record.code or 'unspecified'})"
    if not facts.validity.valid:
        codes = ", ".join(reason.code for reason in facts.validity.reasons)
        return f"the measurement is invalid ({codes})"
    return None


def _why_none(row: PlannedSpeed) -> str:
    """Why there is no pair of records that were measured in turn."""
    for side in (row.pair.a, row.pair.b):
        own = [record for record in side.speed if _at(record) == row.place]
        if not own:
            return f"{in_words(side)} has no record of it"
        if problem := _invalid(max(own, key=lambda record: record.finished_at)):
            return f"{in_words(side)}: {problem}"
    names = row.pair.b.name, row.pair.a.name
    return (
        "the two were not measured in turn, and speeds of two occasions are not compared: "
        f"`minizoo bench {names[0]} --against {names[1]} --workload {row.place.workload}`"
    )


def _imported(row: PlannedSpeed) -> Trials | Absent:
    """The figures of other tools' files, one a file, of one machine and one setting."""
    sides = [_files(side, row) for side in (row.pair.a, row.pair.b)]
    fewest = row.entry.files
    if any(len(files) < fewest for files in sides):
        counts = " and ".join(str(len(files)) for files in sides)
        return "MISSING", f"{counts} imported files of it that can be used, and the entry asks for {fewest} a side"
    dtypes = {record.setting.dtype for files in sides for record, _ in files}
    if len(dtypes) > 1:
        return "INCOMPARABLE", f"the files are of several dtypes: {', '.join(sorted(dtypes))}"
    return Trials([value for _, value in sides[0]], [value for _, value in sides[1]], False, (UNWATCHED,))


def _files(side: Side, row: PlannedSpeed) -> list[tuple[Record, float]]:
    """A record a file with its figure, without those that say of themselves that they are not whole."""
    found: dict[str, tuple[Record, float]] = {}
    for record in side.speed:
        value = _figure(record.speed, row.entry.metric) if record.speed else None
        if record.imported is None or _at(record) != row.place or value is None or record.speed is None:
            continue
        if {reason.code for reason in record.speed.validity.reasons} <= {"not-watched"}:
            found[record.imported.sha256] = (record, value)
    return list(found.values())


def _figure(facts: SpeedFacts, metric: str) -> float | None:
    """A file's one figure of a metric: the median, else the mean."""
    told = {one.statistic: one.value for one in facts.statistics if one.metric == metric}
    return told.get("p50") or told.get("mean")


def _findings(entry: SpeedEntry, policy: Policy, trials: Trials) -> SpeedFindings:
    """Numbers as shares: -0.05 is 5 % slower."""
    better = load_metrics()[entry.metric].higher_is_better
    a, b, _, notes = trials
    confidence = 2 * policy.confidence - 1
    null = math.log1p(-entry.max_slowdown)
    if trials.in_turn:
        ratio = paired_ratio(b, a, better, confidence, "less")
        gains = (1 if better else -1) * (np.log(b[: ratio.n]) - np.log(a[: ratio.n]))
        p_values = [slowdown_p(gains), slowdown_p(-gains, -null), slowdown_p(gains, null)]
    else:
        ratio = unpaired_ratio(b, a, better, confidence, "less")
        gains = (1 if better else -1) * (np.log(b) - math.log(median(a)))
        moved = [value / math.exp(null if better else -null) for value in b]
        beyond = (unpaired_ratio(moved, a, better, confidence, way).p_value for way in ("greater", "less"))
        p_values = [ratio.p_value, *beyond]
    asked = ("detect" in entry.ask, "release" in entry.ask, "release" in entry.ask)
    detect_p, release_p, breach_p = (p if ask else None for p, ask in zip(p_values, asked, strict=True))
    n = ratio.n if trials.in_turn else min(len(a), len(b))
    numbers = Numbers(
        n=n, units=n, reference=median(a), candidate=median(b), difference=ratio.value - 1,
        lower=None if ratio.lower is None else ratio.lower - 1, upper=None if ratio.upper is None else ratio.upper - 1,
        margin=entry.max_slowdown, loss=1 - ratio.value, higher_is_better=True,
        test="exact signed ranks of trials in turn" if trials.in_turn else "exact Mann-Whitney of files",
        detect_p=detect_p, release_p=release_p, breach_p=breach_p,
    )  # fmt: skip
    margin = f"{100 * entry.max_slowdown:.3g} %"
    return SpeedFindings(numbers, margin, notes, tuple(map(float, gains)), entry.max_slowdown, trials.in_turn)
