"""How long one more layer takes in a decode step, on this machine: the slope between N and 2N layers of drawn weights.

What is timed is what `minizoo bench` runs: the `hf` backend's stream, its decode step chosen as there. Differences of whole
steps leave out whatever does not grow with the layers.
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from backends.contract import Options, StreamingBackend, StreamRequest
from backends.random.backend import open_random
from backends.random.config import config_of_dims, random_checkpoint
from zoo.arch.dims import Dense
from zoo.checkpoint.model_ref import resolve
from zoo.search.latency import LayerTime, Load, MeasureLayer

MOST_LAYERS = 4
"""N at most, so 2N layers of the largest shapes still fit where a whole model would not."""
STEPS = 48
"""Decode steps of a trial."""
TRIALS, SECONDS = (5, 200), 1.0
"""Trials of each depth, at least and at most, and the seconds after which no more begin."""


def layer_measurer(options: Options, seed: int = 0) -> MeasureLayer:
    """A function that times layers of given widths by these options; weights and prompts are drawn by the seed.

    It raises what `open_random` raises, DeviceMemory among them.
    """

    def measure(dims: Dense, load: Load) -> LayerTime:
        few = max(1, min(MOST_LAYERS, dims.num_layers // 2))
        one, two = (_opened(dims, layers, options, seed) for layers in (few, 2 * few))
        try:
            medians = _medians((one, two), dims, load, seed)
        finally:
            one.close()
            two.close()
        layer = max((medians[1] - medians[0]) / few, 0.0)
        return LayerTime(layer, max(medians[0] - few * layer, 0.0))

    return measure


def _opened(dims: Dense, layers: int, options: Options, seed: int) -> StreamingBackend:
    """A model of so many of these layers."""
    config = config_of_dims(dims.model_copy(update={"num_layers": layers}), "the shape").to_dict()
    with tempfile.TemporaryDirectory(prefix="minizoo-layers-") as folder:
        Path(folder, "config.json").write_text(json.dumps(config, default=str))
        return open_random(random_checkpoint(resolve(folder)), options, seed)


def _medians(backends: Sequence[StreamingBackend], dims: Dense, load: Load, seed: int) -> list[float]:
    """The median decode step of each, trials in turn, so that what slows the machine slows both. The first trial warms up."""
    times: list[list[float]] = [[] for _ in backends]
    began = time.perf_counter()
    for trial in range(1 + TRIALS[1]):
        if trial > TRIALS[0] and time.perf_counter() - began > SECONDS:
            break
        for found, backend in zip(times, backends, strict=True):
            steps = _trial(backend, dims, load, seed)
            found.extend(steps if trial else ())
    return [statistics.median(found) for found in times]


def _trial(backend: StreamingBackend, dims: Dense, load: Load, seed: int) -> list[float]:
    """Seconds between the tokens of `batch` sequences whose caches hold `context` tokens in the middle of the trial."""
    drawn = random.Random(seed)
    length = max(1, load.context - STEPS // 2)
    steps = min(STEPS, (dims.max_context or load.context + STEPS) - length)
    prompts = [tuple(drawn.randrange(dims.vocab_size) for _ in range(length)) for _ in range(load.batch)]
    requests = [StreamRequest(index, prompt, steps) for index, prompt in enumerate(prompts)]
    told = [step.time for step in backend.stream(_All(requests), load.batch, length + steps, time.perf_counter)]
    # all prompts are prefilled before the first step that gives every sequence a token
    whole = told[-(steps - 1) :] if steps > 2 else told
    return [after - before for before, after in itertools.pairwise(whole)]


class _All:
    """A feed of requests that are all there at once."""

    def __init__(self, requests: Sequence[StreamRequest]) -> None:
        self._left = list(requests)

    def take(self, room: int, idle: bool) -> Sequence[StreamRequest] | None:
        """See `Feed`."""
        if not self._left:
            return None
        taken, self._left = self._left[:room], self._left[room:]
        return taken
