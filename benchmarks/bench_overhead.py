"""What `minizoo bench` itself costs: the time between tokens as it measures it, beside a bare loop around the same model.

    python benchmarks/bench_overhead.py [--model nano-teacher] [--trials 30] [--device cpu]

Trials of the two alternate, so a busy machine slows both alike. Asserts nothing about time; the tokens must be equal.
The last line is what the harness spends on a step of an engine that does nothing: its fixed price, free of noise.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from backends.contract import Feed, Options, Step, StreamRequest
from backends.packing.decode.decode_pass import DecodePass
from backends.packing.slots import empty_cache, prefilled
from harness.speed.loading import load
from harness.speed.probes.probe import NoTelemetry
from harness.speed.request import LoadRequest
from harness.speed.system import SystemUnderTest
from harness.speed.trials.point_run import PointRun, run_trials
from harness.speed.trials.policy import measured_trials, next_phase
from harness.speed.workloads.workload import Point, changed, load_workload
from zoo.checkpoint.locate import locate

RESAMPLES = 2000


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--model", default="nano-teacher")
    words.add_argument("--trials", type=int, default=30)
    words.add_argument("--device", default="cpu")
    words.add_argument("--seed", type=int, default=0)
    given = words.parse_args()
    workload = changed(load_workload("batch1"), rule={"trials": given.trials, "seconds": 0.0})
    point = Point(workload.shapes[0], batch=1)
    request = LoadRequest(given.model, options=Options(device=given.device))
    with load(request, locate(given.model)) as loaded:
        run = PointRun(loaded.system, point, workload.rule)
        bare = alternate(run)
        harness = [gaps([step.time for step in trial.steps]) for trial in measured_trials(run.trials)]
        report(bare, harness, fixed_cost(loaded.system, point, given.trials), given.seed)


def alternate(run: PointRun) -> list[np.ndarray]:
    """Run the harness's trials, each after a bare one of the same prompt; returns the bare gaps of measured trials."""
    found: list[np.ndarray] = []
    model: Any = run.system.backend
    while (phase := next_phase([run.trials], run.rule)) is not None:
        run.trial(phase)
        trial = run.trials[-1]
        times, tokens = bare_trial(model._packed, trial.requests[0], model._budget)
        assert tokens == [token for step in trial.steps for _, token in step.tokens]
        if phase == "trial":
            found.append(gaps(times))
    run.end_stream()
    run.stop()
    return found


@torch.inference_mode()
def bare_trial(model: Any, request: StreamRequest, budget: int) -> tuple[list[float], list[int]]:
    """One request decoded with nothing but the model and a clock."""
    times: list[float] = []
    tokens: list[int] = []

    def choose(hidden: Any) -> None:
        tokens.append(int(model.head(hidden).argmax(-1)[0]))
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        times.append(time.perf_counter())

    (ready,) = [one for row in prefilled(model, [request.prompt], budget) for one in row]
    cache = empty_cache(ready, 1, len(request.prompt) + request.new_tokens)
    ready.copy_into(cache, 0)
    choose(ready.hidden[None])
    for at in range(len(request.prompt), len(request.prompt) + request.new_tokens - 1):
        position = torch.tensor([at], device=model.device)
        newest = torch.tensor([[tokens[-1]]], device=model.device)
        choose(model.hidden(newest, position[:, None], DecodePass(cache, position)))
    return times, tokens


def fixed_cost(system: SystemUnderTest, point: Point, trials: int) -> float:
    """Seconds a step that the harness spends on an engine which answers at once."""
    idle: Any = Idle(system.backend)
    rule = changed(load_workload("batch1"), rule={"trials": trials, "seconds": 0.0}).rule
    run = PointRun(replace(system, backend=idle, probe=NoTelemetry("none")), point, rule)
    started = time.perf_counter()
    run_trials([run], rule)
    spent = time.perf_counter() - started
    return spent / (len(run.trials) * point.shape.output)


class Idle:
    """Yields every step at once."""

    def __init__(self, like: Any) -> None:
        self.tokenizer, self.device, self.dtype = like.tokenizer, like.device, like.dtype

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        while (arrived := feed.take(room, True)) is not None:
            for _ in range(arrived[0].new_tokens):
                yield Step(clock(), tuple((request.index, 0) for request in arrived))

    def peak_memory(self, reset: bool = False) -> None:
        return None


def gaps(times: Sequence[float]) -> np.ndarray:
    """Time between one token and the next."""
    return np.array([b - a for a, b in itertools.pairwise(times)])


def report(bare: list[np.ndarray], harness: list[np.ndarray], fixed: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(bare), (RESAMPLES, len(bare)))
    ratios = [
        np.median(np.concatenate([harness[i] for i in pick])) / np.median(np.concatenate([bare[i] for i in pick]))
        for pick in picks
    ]
    alone, with_harness = np.median(np.concatenate(bare)), np.median(np.concatenate(harness))
    lower, upper = (100 * (np.quantile(ratios, q) - 1) for q in (0.025, 0.975))
    print(f"{len(bare)} alternating trials of {len(bare[0])} steps; ITL is the median of all steps")
    print(f"bare loop      {1e3 * alone:.4f} ms")
    print(f"minizoo bench  {1e3 * with_harness:.4f} ms")
    print(
        f"overhead       {100 * (with_harness / alone - 1):+.2f} % of ITL (95 %, bootstrap: {lower:+.2f} to {upper:+.2f})"
    )
    print(f"fixed price    {1e6 * fixed:.1f} µs a step, {100 * fixed / alone:.3f} % of ITL")


if __name__ == "__main__":
    main()
