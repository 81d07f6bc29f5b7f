"""What a reader makes of another tool's result, before it becomes a record."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field

from harness.imports.figures import Figures
from harness.records.record import MetricScore
from harness.records.speed_record import Reason, SpeedFacts, Validity
from harness.stats.sufficient import LeafStatistics

UNKNOWN = "unknown"
NOT_STORED = "Nothing was stored."
LONGEST_TEXT = 300
MOST_FACTS = 3000
"""AIPerf writes some hundred metrics of up to sixteen figures each."""
LONGEST_LIST = 32

CLIENT_SIDE = Reason(
    code="client-side-times", text="times were taken at the client, with its own overhead and the network's"
)
LARGEST = 10**15
"""Of any count, time or rate: 30 million years in seconds, and far inside what the database can hold."""

HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that may be half of a surrogate pair: JSON can write one, UTF-8 cannot, and it becomes a question mark."""

Aggregated = Callable[[str, str | None, Sequence[Any], Sequence[Hashable]], tuple[float, LeafStatistics | None] | None]
"""(metric, lm-eval's name of its aggregation or None for the usual one, a value a document, each document's cluster or
nothing) → lm-eval's aggregate and what its error is derived from; None where lm-eval cannot make one of them."""

Number = Annotated[float, Field(strict=True, ge=0, le=LARGEST, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]


class Part(BaseModel):
    """A part of another tool's document: what is read of it is checked, what else it holds is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Unusable(Exception):
    """The document is of a known tool, and still cannot be taken; the message says why, the second argument what to do."""


@dataclass(frozen=True)
class Given:
    """What the user says of the files, because the tools do not write it, or not as minizoo names it."""

    model: str | None = None
    gpu: str | None = None
    dtype: str | None = None
    batch: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    direction: Callable[[str], bool | None] = field(default=lambda _: None)
    """Whether more of a metric is better where a file of lm-eval is silent: lm-eval's own table, never read in this room."""
    aggregated: Aggregated = field(default=lambda *_: None)
    """lm-eval's own aggregation, of the values that its samples files hold."""

    def lengths(
        self, mean_input: float | None = None, mean_output: float | None = None
    ) -> tuple[int | None, int | None]:
        """Input and output tokens of every request: as the user says, else the means of the file, rounded."""
        told = ((self.input_tokens, mean_input), (self.output_tokens, mean_output))
        given = [own if own is not None or mean is None else round(mean) for own, mean in told]
        return given[0], given[1]


@dataclass(frozen=True)
class Draft:
    """One task or one point of a workload, as the file tells it. None is what the file does not tell."""

    tool: str
    task: str
    suite: str
    model: str | None
    backend: str
    version: str | None = None
    finished: datetime | None = None
    started: datetime | None = None
    device: str | None = None
    dtype: str | None = None
    gpu: str | None = None
    driver: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    revision: str | None = None
    seed: int | None = None
    task_version: str = ""
    shots: int | None = None
    limit: int | None = None
    members: tuple[str, ...] = ()
    scores: tuple[MetricScore, ...] = ()
    samples: Sequence[Mapping[str, Any]] = ()
    """A row a document, metric and filter, as `harness.records.files.SAMPLE_COLUMNS`."""
    departure: str | None = None
    """Why the score is none of the whole task, or of other prompts or answers than its own, in a few words."""
    speed: SpeedFacts | None = None
    rest: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the file says, dotted names to plain values."""


def point(
    tool: str, workload: str, lengths: tuple[int | None, int | None], how: str, figures: Figures, seconds: float,
    reasons: Sequence[Reason] = (), notes: Sequence[Reason] = (), batch: int | None = None, arriving: float | None = None,
    room: int | None = None, trials: int = 1,
) -> SpeedFacts:  # fmt: skip
    """The facts of an imported point, named as minizoo's own are (`128x128.b8`; `any` for a length that is not told).

    It is never valid, for what makes a measurement invalid was not watched; `reasons` are what else speaks against it.
    Unusable where there is no figure at all.
    """
    if not figures.found:
        why = "; ".join(reason.text for reason in figures.notes())
        raise Unusable(f"there is no figure in it{f' ({why})' if why else ''}", "Measure again.")
    told = f"imported from {tool}: clocks, throttling, other processes and warm-up were not watched by minizoo"
    unwatched = Reason(code="not-watched", text=told)
    return SpeedFacts(
        workload=workload,
        point="x".join("any" if length is None else str(length) for length in lengths) + f".{how}",
        input_tokens=lengths[0],
        output_tokens=lengths[1],
        batch=batch,
        rate=arriving,
        room=room,
        weights="unknown",
        validity=Validity(valid=False, reasons=(unwatched, *reasons), notes=(*notes, *figures.notes())),
        trials=trials,
        seconds=seconds,
        statistics=tuple(figures.found),
    )


def scalars(document: Mapping[str, Any], leave_out: Sequence[str] = ()) -> dict[str, Any]:
    """Every plain value of a document under its dotted name: numbers, truths, short texts, and short lists of numbers."""
    found: dict[str, Any] = {}
    for name, value in _leaves(document, "", leave_out):
        if len(found) == MOST_FACTS:
            break
        found[plain(name)] = plain(value) if isinstance(value, str) else value
    return found


def plain(value: str) -> str:
    """Cut to a length for people, half a surrogate pair replaced: no file could be written with it."""
    return value[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")


def one_line(text: str) -> str:
    """Names in a file may hold line breaks, and be long."""
    return " ".join(text.split())[:200]


def whole_pairs(document: Any, text: str) -> Any:
    """The document that was read from `text`, with question marks for halves of surrogate pairs."""
    if not HALF_PAIR.search(text):
        return document
    return json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


def moment(text: str, form: str | None = None) -> datetime | None:
    """The time that a text states, taken as UTC where it names no zone; None where it is no time."""
    try:
        found = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _leaves(document: Mapping[str, Any], above: str, leave_out: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        name = f"{above}{key}"
        if name in leave_out:
            continue
        if isinstance(value, dict) and name.count(".") < 4:
            yield from _leaves(value, f"{name}.", leave_out)
        elif isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
            yield name, value
        elif isinstance(value, list) and _is_short(numbers := cast("list[Any]", value)):
            yield name, numbers


def _is_short(values: list[Any]) -> bool:
    """Whether a list has few values, all of them numbers."""
    if not 0 < len(values) <= LONGEST_LIST:
        return False
    return all(isinstance(one, int) or (isinstance(one, float) and math.isfinite(one)) for one in values)
