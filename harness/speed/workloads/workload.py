"""Workloads: named speed tests as data, `harness/speed/workloads/*.yaml`, and the points that one consists of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from harness.named_files import NamedFiles
from zoo.errors import ConflictingOptions, InputError, InvalidOption, InvalidWorkload

FILES = NamedFiles("workload", Path(__file__).parent, InvalidWorkload)
LARGEST_BATCH = 65_536
"""Beyond any device; a larger number is a slip of the hand."""

Tokens = Annotated[int, Field(ge=1, le=10_000_000)]
Batch = Annotated[int, Field(ge=1, le=LARGEST_BATCH)]
Rate = Annotated[float, Field(gt=0, le=1e6)]
Seconds = Annotated[float, Field(gt=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Shape(_Frozen):
    """Tokens in (ISL) and out (OSL) of every request; the output has exactly this length."""

    input: Tokens
    output: Annotated[int, Field(ge=2, le=10_000_000)]


class ServiceLevel(_Frozen):
    """Service-level objectives: what a request must keep to count for goodput, in seconds."""

    ttft: Seconds | None = None
    tpot: Seconds | None = None
    e2e: Seconds | None = None


class Rule(_Frozen):
    """How long to measure. A point has at least `trials` trials and at least `seconds` of them, after its warm-up."""

    trials: Annotated[int, Field(ge=1)] = 9
    seconds: Annotated[float, Field(ge=0)] = 10.0
    requests: Annotated[int, Field(ge=1)] = 300
    """Of an open loop: 300 requests allow a p99 at 95 %."""
    warmup: Annotated[int, Field(ge=3)] = 12
    """Warm-up trials at most."""
    settled: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The warm-up is over once the last three trials differ by at most this share of their median."""
    patience: Annotated[int, Field(ge=0)] = 2
    """A sweep ends early after so many doublings of the batch without a higher output rate; 0: at the memory's end only."""


class Workload(_Frozen):
    """A named speed test. `batches` runs closed loops, `rates` (requests a second, Poisson) open ones."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    description: str = ""
    shapes: Annotated[tuple[Shape, ...], Field(min_length=1)]
    batches: tuple[Batch, ...] | Literal["sweep"] = ()
    rates: tuple[Rate, ...] = ()
    slo: ServiceLevel = Field(ServiceLevel(), validation_alias=AliasChoices("slo", "limits"))
    slo_source: str | None = Field(None, validation_alias=AliasChoices("slo_source", "limits_source"))
    rule: Rule = Rule()

    def digest(self) -> str:
        """sha256 over everything that the workload says."""
        old = {"slo": "limits", "slo_source": "limits_source"}  # so that a workload keeps the digest of older records
        said = {old.get(key, key): value for key, value in self.model_dump(mode="json").items()}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Point:
    """One measurement of a workload: a shape at a batch (closed loop) or at a rate (open loop)."""

    shape: Shape
    batch: int | None = None
    rate: float | None = None
    swept: bool = False
    """Whether it is a step of a sweep, where running out of memory is the end and no failure."""

    @property
    def name(self) -> str:
        """Short and safe in a path: `128x128.b8`, `512x128.r2.5`."""
        how = f"b{self.batch}" if self.batch is not None else f"r{self.rate:g}"
        return f"{self.shape.input}x{self.shape.output}.{how}"


def workload_names() -> list[str]:
    """Names of the workloads that come with minizoo."""
    return FILES.names()


def load_workload(name: str) -> Workload:
    """The workload of that name, or in that YAML file; UnknownName, FileMissing or InvalidWorkload says what is wrong."""
    path = FILES.path(name)
    try:
        return Workload.model_validate(FILES.read(path))
    except ValidationError as error:
        raise _in_words(InvalidWorkload, error, str(path)) from None


def changed(
    workload: Workload,
    batches: tuple[int, ...] = (),
    rates: tuple[float, ...] = (),
    rule: Mapping[str, float] | None = None,
) -> Workload:
    """The workload at other batches or rates, or by a rule changed in the fields given.

    Raises ConflictingOptions for both batches and rates, InvalidOption for a number that makes no sense.
    """
    fields = workload.model_dump()
    if batches and rates:
        raise ConflictingOptions("Both batches and rates are given.", "A closed loop has --batch, an open one --rate.")
    if batches or rates:
        fields |= {"batches": batches, "rates": rates}
    fields["rule"] |= rule or {}
    try:
        return Workload.model_validate(fields)
    except ValidationError as error:
        raise _in_words(InvalidOption, error, f"Workload {workload.name}") from None


def points(workload: Workload) -> Iterator[Point]:
    """Every point, shapes first. A sweep yields doubling batches without end: whoever runs it stops at the memory's."""
    for shape in workload.shapes:
        if workload.batches == "sweep":
            batch = 1
            while batch <= LARGEST_BATCH:
                yield Point(shape, batch=batch, swept=True)
                batch *= 2
        else:
            yield from (Point(shape, batch=batch) for batch in workload.batches)
        yield from (Point(shape, rate=rate) for rate in workload.rates)


def _in_words(cause: type[InputError], error: ValidationError, what: str) -> InputError:
    """The first thing that is wrong, by field and value."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if "[" not in str(part))
    given = "" if isinstance(first["input"], dict | list | tuple) else f", not {first['input']!r:.40}"
    return cause(f"{what}: {where}: {first['msg']}{given}.", "Correct it and run again.")
