"""How a value is written in a table: the text of a cell, and the key that its column is sorted by."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.records.record import precision

ABSENT = "–"
DIRECTIONS = {True: "higher", False: "lower", None: ""}
UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # controls but tab and newline, and surrogates


@dataclass(frozen=True)
class ScoreLine:
    """A line of the score table, as text. Numbers keep all their digits for sorting (`…_key`, empty where absent).

    An interval is sorted by its lower end, so that a score that is good by luck alone comes later.
    """

    run: str
    model: str
    suite: str
    task: str
    metric: str
    direction: str
    filter: str
    shots: str
    value: str
    value_key: str
    interval: str
    interval_key: str
    chance: str
    chance_key: str
    n: str
    n_key: str
    note: str
    status: str
    reason: str
    device: str
    finished: str
    finished_iso: str
    source: str


def row_of(score: Mapping[str, Any]) -> ScoreLine:
    """Write one row of the view `scores`; `dtype`, `compute_dtype`, `limit`, `truncated` and `isolation` may be absent."""
    failed = score["status"] != "ok"
    return ScoreLine(
        run=text(score["run_id"]),
        model=text(score["model"]),
        suite=text(score["suite"]),
        task=text(score["task"]),
        metric=text(score["metric"]),
        direction=DIRECTIONS[score["higher_is_better"]] if score["metric"] else "",
        filter="" if score["filter"] == "none" else text(score["filter"]),
        shots=text(score["shots"]),
        value=number(score["value"]),
        value_key=key(score["value"]),
        interval=interval(score["lower"], score["upper"]),
        interval_key=key(score["lower"]),
        chance=number(score["chance"]) if score["chance"] is not None else "",
        chance_key=key(score["chance"]),
        n="" if failed or score["n"] is None else f"{score['n']:,}",
        n_key="" if failed else key(score["n"]),
        note=_note(score),
        status="failed" if failed else "ok",
        reason=(text(score["reason"]) or text(score["status"])) if failed else "",
        device=_device(score),
        finished=moment(score["finished_at"]),
        finished_iso=moment(score["finished_at"], "%Y-%m-%dT%H:%M:%SZ"),
        source=text(score["source"]),
    )


def number(value: float | None) -> str:
    """Four decimals below ten, as lm-eval prints, fewer above; `–` for what is absent or not a number."""
    if value is None or math.isnan(value):
        return ABSENT
    if not math.isfinite(value) or abs(value) >= 1e9:
        return f"{value:.3g}"
    whole = len(str(int(abs(value))))
    return f"{value:,.{max(0, 5 - whole)}f}"


def interval(lower: float | None, upper: float | None) -> str:
    """Both ends of an interval, or nothing where one is missing."""
    if lower is None or upper is None or math.isnan(lower) or math.isnan(upper):
        return ""
    return f"{number(lower)}–{number(upper)}"


def count(value: int | None) -> str:
    """A whole number with its thousands apart; `–` for none."""
    return ABSENT if value is None else f"{value:,}"


def size(value: float) -> str:
    """Bytes in GB, of a small model in MB."""
    return f"{value / 1e9:.2f} GB" if value >= 1e8 else f"{value / 1e6:.1f} MB"


def key(value: float | None) -> str:
    """The sort key of a number: all its digits, empty (which sorts last) for what is absent or not a number."""
    return "" if value is None or math.isnan(value) else repr(float(value))


def text(value: object) -> str:
    """Any value as text, empty for none."""
    return "" if value is None else str(value)


def writable(words: str) -> str:
    """The same words with U+FFFD for characters that no page may hold."""
    return UNWRITABLE.sub("\ufffd", words)


def moment(value: datetime | str | None, layout: str = "%Y-%m-%d %H:%M") -> str:
    """A time in UTC (where one without a zone is already), empty for none."""
    if value is None:
        return ""
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC):{layout}}"


def _device(score: Mapping[str, Any]) -> str:
    """What it ran on, by which backend, and both dtypes where products were computed in another than the weights'."""
    dtypes = precision(text(score.get("dtype")), score.get("compute_dtype"))
    told = (score["gpu"] or score["device"], score["backend"], "" if dtypes == score.get("dtype") else dtypes)
    return " · ".join(filter(None, map(text, told)))


def _note(score: Mapping[str, Any]) -> str:
    """What makes a number less than the whole task's (a limit, prompts cut), and how generated code was kept apart."""
    limit, cut, isolation = score.get("limit"), score.get("truncated"), score.get("isolation")
    told = (
        f"limit {limit}" if limit else "",
        f"{cut} prompts cut" if cut else "",
        f"code: {isolation}" if isolation else "",
    )
    return ", ".join(filter(None, told))
