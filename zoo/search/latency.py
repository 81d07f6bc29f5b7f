"""How long a decode step of a shape takes: by the data sheet, by rows measured on that GPU, or by layers measured here.

A roofline alone says that two shapes which move as many bytes take as long, whatever their depth; real steps pay something a
layer (launches, synchronisation, latencies of memory). So a bare roofline is a lower bound that cannot choose depth against
width; what is paid a layer is fitted to measured rows, or measured as the slope between N and 2N repeats of a layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from zoo.arch.dims import Dense
from zoo.arch.gpus import Gpu
from zoo.arch.parameters import Dtype, count_parameters, kv_bytes_per_token
from zoo.arch.roofline import decode_work, least_time

LEAST_ROWS = 4
"""Measured rows from which an overhead is fitted: two coefficients, and two rows to tell how wrong they are."""
PARALLEL = 0.9995
"""Cosine of the two columns from which on rows do not tell bytes from layers: the fit would share the time between them at
random."""
ANCHORS = 8
"""Widths that are measured before any other is predicted."""
Way = Literal["lower bound", "fitted", "measured"]


@dataclass(frozen=True)
class Load:
    """A decode step: sequences, tokens in each one's cache, and what weights and cache are held in."""

    batch: int
    context: int
    weights: Dtype = "bfloat16"
    kv: Dtype = "bfloat16"


@dataclass(frozen=True)
class MeasuredStep:
    """A row: seconds that a decode step of a model took on the GPU in question."""

    dims: Dense
    load: Load
    seconds: float


@dataclass(frozen=True)
class LayerTime:
    """Seconds of one more layer, and of all that is not a layer (embedding, norm, head, the call itself)."""

    layer: float
    rest: float

    def step(self, layers: int) -> float:
        """Seconds of a step through so many layers."""
        return self.rest + layers * self.layer


MeasureLayer = Callable[[Dense, Load], LayerTime]
"""Times layers of these widths on this machine; passed in from above, since running is a backend's business."""


class StepTimes(Protocol):
    """Seconds of a decode step by dimensions, and how they came about."""

    @property
    def way(self) -> Way:
        """Which of the ways."""
        ...

    @property
    def told(self) -> str:
        """The way in words, as the end of a sentence."""
        ...

    @property
    def chooses_depth(self) -> bool:
        """Whether it knows what a layer costs beside its bytes."""
        ...

    def seconds(self, dims: Dense) -> float:
        """Of one step."""
        ...


@dataclass(frozen=True)
class BareRoofline:
    """The larger of bytes over bandwidth and FLOPs over peak, by the data sheet (see `zoo.arch.roofline`)."""

    gpu: Gpu
    load: Load
    why: str = ""
    """Why nothing better is known."""
    way: Way = "lower bound"
    chooses_depth: bool = False

    @property
    def told(self) -> str:
        """In one sentence."""
        return (
            f"lower bound: the bare roofline of the {self.gpu.display} by its data sheet, which no real step reaches, and by "
            f"which depth cannot be chosen against width{f' ({self.why})' if self.why else ''}"
        )

    def seconds(self, dims: Dense) -> float:
        """See `StepTimes`."""
        return roofline_seconds(self.gpu, dims, self.load)


@dataclass(frozen=True)
class FittedRoofline:
    """`slowdown` times the roofline and `overhead` seconds a layer, of measured rows by least squares, neither below its limit
    (1 and 0). `error` is the mean relative error of each row by the fit to the others."""

    gpu: Gpu
    load: Load
    slowdown: float
    overhead: float
    error: float
    rows: int
    way: Way = "fitted"
    chooses_depth: bool = True

    @property
    def told(self) -> str:
        """In one sentence."""
        return (
            f"fitted: {self.slowdown:.2f} times the roofline of the {self.gpu.display}, {self.overhead * 1e6:.1f} µs a layer, "
            f"by {self.rows} measured rows; left out in turn, a row is predicted to within {self.error:.1%} on average"
        )

    def seconds(self, dims: Dense) -> float:
        """See `StepTimes`."""
        return self.slowdown * roofline_seconds(self.gpu, dims, self.load) + self.overhead * dims.num_layers


Widths = tuple[int, int, int]
"""Query heads, hidden size, FFN."""


@dataclass
class MeasuredLayers:
    """Layers timed on this machine by widths; widths that were not timed are predicted from those that were.

    A layer takes `a + b · bytes` and the rest `c + d · bytes of the head`, by least squares with no coefficient below 0.
    """

    measure: MeasureLayer
    load: Load
    times: dict[Widths, LayerTime] = field(default_factory=dict[Widths, LayerTime])
    dims: dict[Widths, Dense] = field(default_factory=dict[Widths, Dense])
    kept: Callable[[Mapping[Widths, LayerTime]], None] = lambda _times: None
    """Is told of the times after each measurement, to keep them."""
    way: Way = "measured"
    chooses_depth: bool = True
    error: float = math.nan
    """Mean relative error of a step of the largest model timed, each width by the fit to the others."""

    @property
    def told(self) -> str:
        """In one sentence."""
        return (
            f"measured: {len(self.dims)} widths timed on this machine by the slope between N and 2N layers; a width that is "
            f"predicted from the others is {self.error:.1%} off on average"
        )

    def time(self, shapes: Iterable[Dense]) -> None:
        """Time the widths that are not timed yet, and fit anew."""
        fresh = False
        for dims in shapes:
            widths = widths_of(dims)
            self.dims[widths] = dims
            if widths not in self.times:
                self.times[widths] = self.measure(dims, self.load)
                self.kept(self.times)
            fresh = True
        if fresh:
            known = [each for each in self.times if each in self.dims]
            self._fit = self._fitted(known)
            self.error = self._left_out(known)

    def is_timed(self, dims: Dense) -> bool:
        """Whether these widths were timed themselves, by a call of `time` that asked for them: what is kept of an earlier
        search is as if it were not there until then, so that the same search chooses the same shapes."""
        return widths_of(dims) in self.dims

    def seconds(self, dims: Dense) -> float:
        """See `StepTimes`; `time` was called before."""
        timed = self.times[widths_of(dims)] if self.is_timed(dims) else _predicted(self._fit, dims, self.load)
        return timed.step(dims.num_layers)

    def _fitted(self, widths: Sequence[Widths]) -> tuple[float, ...]:
        layers = [[1.0, _layer_bytes(self.dims[each], self.load)] for each in widths]
        rests = [[1.0, _head_bytes(self.dims[each])] for each in widths]
        times = [self.times[each] for each in widths]
        return *_nnls(layers, [t.layer for t in times]), *_nnls(rests, [t.rest for t in times])

    def _left_out(self, known: Sequence[Widths]) -> float:
        if len(known) < LEAST_ROWS:
            return math.nan
        errors: list[float] = []
        for left in known:
            fit = self._fitted([each for each in known if each != left])
            dims = self.dims[left]
            truth = self.times[left].step(dims.num_layers)
            errors.append(abs(_predicted(fit, dims, self.load).step(dims.num_layers) / truth - 1))
        return sum(errors) / len(errors)


def roofline_seconds(gpu: Gpu, dims: Dense, load: Load) -> float:
    """The least time of a decode step by the GPU's data sheet."""
    work = decode_work(dims, load.batch, load.context, load.weights, load.kv)
    return least_time(work, gpu.bytes_per_s, gpu.flops_per_s(load.weights)).seconds


def of_rows(gpu: Gpu, load: Load, rows: Sequence[MeasuredStep]) -> BareRoofline | FittedRoofline:
    """The roofline with what measured rows of the GPU add to it; the bare one where they are too few or too alike."""
    if len(rows) < LEAST_ROWS:
        had = (
            "no row was measured on it"
            if not rows
            else f"{len(rows)} rows were measured on it, {LEAST_ROWS} are needed"
        )
        return BareRoofline(gpu, load, had)
    columns = [[roofline_seconds(gpu, row.dims, row.load), float(row.dims.num_layers)] for row in rows]
    if _cosine(columns) > PARALLEL:
        return BareRoofline(
            gpu, load, f"its {len(rows)} measured rows are of models too alike to tell bytes from layers"
        )
    times = [row.seconds for row in rows]
    slowdown, overhead = _above_roofline(columns, times)
    errors: list[float] = []
    for at, row in enumerate(rows):
        some = [each for number, each in enumerate(columns) if number != at]
        by_others = _above_roofline(some, [time for number, time in enumerate(times) if number != at])
        errors.append(abs((by_others[0] * columns[at][0] + by_others[1] * columns[at][1]) / row.seconds - 1))
    return FittedRoofline(gpu, load, slowdown, overhead, sum(errors) / len(errors), len(rows))


def widths_of(dims: Dense) -> Widths:
    """The widths of a model's layers."""
    return dims.num_attention_heads, dims.hidden_size, dims.ffn_hidden_size


def _above_roofline(columns: Sequence[Sequence[float]], times: Sequence[float]) -> tuple[float, float]:
    """The roofline's factor, 1 or more, and the seconds a layer, 0 or more. Rows weigh by their relative error."""
    rest = [time - bare for (bare, _), time in zip(columns, times, strict=True)]
    more, overhead = _nnls(
        [[bare / time, layers / time] for (bare, layers), time in zip(columns, times, strict=True)],
        [left / time for left, time in zip(rest, times, strict=True)],
    )
    return 1 + more, overhead


def _predicted(fit: Sequence[float], dims: Dense, load: Load) -> LayerTime:
    a, b, c, d = fit
    return LayerTime(a + b * _layer_bytes(dims, load), c + d * _head_bytes(dims))


def _layer_bytes(dims: Dense, load: Load) -> float:
    """Bytes of a layer's weights and caches, in units in which those of a model are near 1; all that matters is proportion."""
    one = dims.model_copy(update={"num_layers": 1})
    weights = 2 * count_parameters(one).per_layer[0]
    return (weights + load.batch * load.context * kv_bytes_per_token(one, load.kv)) / 1e6


def _head_bytes(dims: Dense) -> float:
    return 2 * dims.vocab_size * dims.hidden_size / 1e6


def _nnls(columns: Sequence[Sequence[float]], values: Sequence[float]) -> tuple[float, float]:
    """Least squares of two columns with no coefficient below 0 (Lawson and Hanson 1974), columns scaled to length 1."""
    import numpy as np
    from scipy.optimize import nnls

    matrix = np.array(columns, dtype=float)
    sizes = np.linalg.norm(matrix, axis=0)
    found, _ = nnls(matrix / sizes, np.array(values, dtype=float))
    first, second = found / sizes
    return float(first), float(second)


def _cosine(columns: Sequence[Sequence[float]]) -> float:
    first, second = zip(*columns, strict=True)
    product = math.fsum(a * b for a, b in zip(first, second, strict=True))
    return product / math.hypot(*first) / math.hypot(*second)
