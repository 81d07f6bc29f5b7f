"""Whether tonight's speeds are worse than those of earlier nights: the ratio to the canary, and the canary itself.

The ratio has out of it what slows candidate and canary by the same factor. That the machine's effect is such a common factor is
assumed. Its false alarms are measured in benchmarks/history_calibration.py and told in docs/history.md. The canary's own value
has nothing out of it: nights differ, so it alarms only of a larger change and only on the second night that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.fleet.canary.series import NIGHTS_NEEDED, Key, Moved, Point, gained, key_of, moved, points_of, standing
from harness.fleet.history.changed import changed_between, in_words
from harness.records.night import CanaryBlocks, Finding, NightOutcome

MAX_SLOWDOWN = 0.02
PLATFORM_SLOWDOWN = 0.03
PLATFORM_NIGHTS = 2
TONIGHT = "tonight"
CAUSES = "Its code and weights are the same as before, so look at the driver, firmware, clocks, cooling and neighbours."


def judge_canary(
    tonight: Sequence[CanaryBlocks], earlier: Sequence[NightOutcome], max_slowdown: float = MAX_SLOWDOWN
) -> list[Finding]:
    """What tonight's blocks say beside those of earlier nights. `Finding.about` is the job's id.

    `regressed`: a stretch of nights that ends tonight is slower, beside the canary, than an earlier one by `max_slowdown` or
    more. `platform`: the canary itself is, last night too. `undecided`: no block could be used, where earlier nights had some.
    `told`: all else that must be seen: a first night, too few nights, another canary or GPU than before, blocks left out,
    a gain. Nights of other machines, GPUs or canaries are never compared.
    """
    history: dict[Key, list[Point]] = {}
    for night in sorted(earlier, key=lambda night: night.started_at):
        for key, point in points_of(night.id, night.started_at, night.canary).items():
            history.setdefault(key, []).append(point)
    now = points_of(TONIGHT, None, tonight)
    found: list[Finding] = []
    for one in standing(tonight):
        found += _left_out(one, history)
    for key, point in now.items():
        judge = _ratio if key.kind == "ratio" else _platform
        found += judge(key, [*history.get(key, []), point], history, max_slowdown)
    return found


def _left_out(one: CanaryBlocks, history: Mapping[Key, Sequence[Point]]) -> Iterator[Finding]:
    if not one.left_out:
        return
    what, whys = f"{_named(key_of(one))}: ", "; ".join(one.left_out)
    if one.candidate:
        yield _told(one.job, f"{what}{len(one.left_out)} blocks are left out: {whys}.")
        return
    known = any(_without(key, "pin", "machine") == _without(key_of(one), "pin", "machine") for key in history)
    kind = "undecided" if known else "told"
    yield Finding(
        kind=kind, about=one.job, text=f"{what}no block can be used, so nothing is known of its speed: {whys}."
    )


def _ratio(
    key: Key, points: Sequence[Point], history: Mapping[Key, Sequence[Point]], max_slowdown: float
) -> Iterator[Finding]:
    job, values = points[-1].jobs[0], [point.value for point in points]
    if len(points) <= NIGHTS_NEEDED:
        yield _told(job, _too_few(key, points, history))
        return
    worse = moved(values, max_slowdown)
    if worse:
        text = f"{_named(key)}: {_by(worse)} slower beside the canary than before. {_between(points, worse)}"
        yield Finding(kind="regressed", about=job, text=text)
        return
    better = gained(values, max_slowdown)
    if better:
        yield _told(
            job, f"{_named(key)}: {_by(better)} faster beside the canary than before. {_between(points, better)}"
        )


def _platform(
    key: Key, points: Sequence[Point], history: Mapping[Key, Sequence[Point]], max_slowdown: float
) -> Iterator[Finding]:
    values, job = [point.value for point in points], points[-1].jobs[0]
    at_once = moved(values, PLATFORM_SLOWDOWN)
    stayed = moved(values, PLATFORM_SLOWDOWN, PLATFORM_NIGHTS)
    if stayed:
        text = f"{_named(key)}: {_by(stayed)} slower than before, by itself. {CAUSES} {_between(points, stayed)}"
        yield Finding(kind="platform", about=job, text=text)
    elif at_once:
        text = f"{_named(key)}: {_by(at_once)} slower than before, by itself, on one night; it alarms on the second."
        yield _told(job, text)


def _too_few(key: Key, points: Sequence[Point], history: Mapping[Key, Sequence[Point]]) -> str:
    """That it is advisory, why the series is so short, and how many nights are missing."""
    more = NIGHTS_NEEDED - (len(points) - 1)
    told = f"{_named(key)}: {'a first night' if len(points) == 1 else f'{len(points)} nights'} on {key.machine}, advisory; "
    told += f"{more} more {'night is' if more == 1 else 'nights are'} needed before its speed is judged."
    if len(points) > 1:
        return told
    other_pin = [old for k, old in history.items() if k != key and _without(k, "pin") == _without(key, "pin")]
    if other_pin:
        last = max((old[-1] for old in other_pin), key=lambda point: point.night)
        changed = in_words(changed_between(last.changed_by, points[-1].changed_by))
        return f"{told} The canary is another one than in {len(other_pin)} earlier series of it: {changed}."
    elsewhere = sorted({k.machine for k in history if _without(k, "pin", "machine") == _without(key, "pin", "machine")})
    if elsewhere:
        return f"{told} Earlier nights were on {', '.join(elsewhere)}, with which it is not compared."
    return told


def _between(points: Sequence[Point], change: Moved) -> str:
    """The night of the first value after the change, that of the last before it, and what was another between them."""
    good, bad = points[change.reference.stop - 1], points[change.reference.stop]
    changed = in_words(changed_between(good.changed_by, bad.changed_by))
    nights = f"{len(change.reference)} nights against {len(change.now)}, p = {change.p_value:.1g}"
    return f"Last good night {_when(good)}, first bad night {_when(bad)} ({nights}); changed in between: {changed}."


def _when(point: Point) -> str:
    return TONIGHT if point.started_at is None else f"{point.started_at:%Y-%m-%d} ({point.night})"


def _named(key: Key) -> str:
    what = f"{key.model} by {key.backend}" if key.kind == "ratio" else f"the canary {key.model}"
    return f"{what}, {key.workload} {key.point}, {key.metric} on {key.device}"


def _by(change: Moved) -> str:
    return f"{100 * abs(change.share):.1f} %"


def _told(about: str, text: str) -> Finding:
    return Finding(kind="told", about=about, text=text)


def _without(key: Key, *names: str) -> Key:
    return key._replace(**dict.fromkeys(names, ""))
