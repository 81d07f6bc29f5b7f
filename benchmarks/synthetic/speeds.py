"""How fast the invented models are: points on GPUs of the data sheets, each with trials that follow its roofline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.synthetic.models import Model
from harness.metrics.speed_metrics import trial_schema
from harness.records.speed_record import Achieved, Memory, Reason, SpeedComparison, SpeedFacts, Validity
from zoo.arch.gpus import Gpu, load_gpus

WORKLOAD, INPUT, OUTPUT = "chat", 512, 16
BATCHES = (1, 8)
TRIALS, WARMUP = 9, 1
UNLIKE = ("h100-sxm", "a100-80-sxm", "l4", "rtx-4090", "b200", "a10", "h200", "rtx-5090")
"""GPUs of every microarchitecture, the first ones most unlike."""


def gpus(count: int) -> list[Gpu]:
    """That many GPUs of the data sheets."""
    known = load_gpus()
    return [known[name] for name in (*UNLIKE, *(name for name in known if name not in UNLIKE))][:count]


@dataclass(frozen=True)
class Point:
    """One point of a run."""

    facts: SpeedFacts
    trials: Any
    """An Arrow table; None where the point failed."""


@dataclass(frozen=True)
class Other:
    """The run of the other side of a comparison, at the same batch."""

    name: str
    run_id: str
    step_s: float


def step_s(model: Model, gpu: Gpu, batch: int) -> float:
    """Seconds of a decode step: 0.6 of the bandwidth, and a little more for each sequence."""
    return (model.size * 2 + batch * 2e8) / (gpu.bytes_per_s * 0.6)


def point(model: Model, gpu: Gpu, batch: int, other: Other | None, fate: float, noise: np.random.Generator) -> Point:
    """A measured point. A `fate` below 0.1 makes it invalid, one below 0.05 a failure for want of memory."""
    name = f"{INPUT}x{OUTPUT}.b{batch}"
    stated = {"workload": WORKLOAD, "point": name, "input_tokens": INPUT, "output_tokens": OUTPUT, "batch": batch}
    if fate < 0.05:
        reason = Reason(code="device-memory", text="out of memory: weights and caches do not fit")
        return Point(SpeedFacts.model_validate({**stated, "validity": Validity(valid=False, reasons=(reason,))}), None)
    seconds = step_s(model, gpu, batch)
    reasons = (Reason(code="clock-drift", text="the clock fell from 1,980 to 1,620 MHz"),) if fate < 0.1 else ()
    notes = (Reason(code="power-capped", text="power-capped: 92 % of the time"),) if noise.random() < 0.3 else ()
    facts = SpeedFacts.model_validate(
        {
            **stated, "room": batch, "weights": "real" if noise.random() < 0.8 else "random",
            "slo": {"ttft": 2.0, "tpot": 0.1}, "validity": Validity(valid=not reasons, reasons=reasons, notes=notes),
            "load_s": 4.0, "trials": TRIALS, "seconds": TRIALS * OUTPUT * seconds,
            "memory": Memory(allocator=int(model.size * 2 + batch * 1e8), device=int(model.size * 2.1 + batch * 1e8)),
            "achieved": _achieved(model, gpu, batch, seconds),
            "machine": {"product": f"NVIDIA {gpu.names[0]}", "capability": gpu.capability},
            "comparisons": () if other is None else (_compared(other, batch, seconds, not reasons),),
        }
    )  # fmt: skip
    return Point(facts, _trials(gpu, batch, seconds, noise))


def _achieved(model: Model, gpu: Gpu, batch: int, seconds: float) -> tuple[Achieved, ...]:
    read = int(model.size * 2 + batch * 2e8)
    least = read / gpu.bytes_per_s
    decode = Achieved(
        step="decode", against="data sheet", source=gpu.source, bytes_per_s=gpu.bytes_per_s, flops_per_s=gpu.bf16 * 1e12,
        bytes=read, flops=int(2 * model.size * batch), roofline_s=least, measured_s=seconds, percent=100 * least / seconds,
        bound_by="bandwidth",
    )  # fmt: skip
    return (decode,)


def _compared(other: Other, batch: int, seconds: float, valid: bool) -> SpeedComparison:
    return SpeedComparison(
        against=other.name, against_run_id=other.run_id, mode="equal batch", batch=batch, against_batch=batch,
        memory_budget=None, metric="output_rate", ratio=other.step_s / seconds, n=TRIALS, against_n=TRIALS, seed=0, valid=valid,
    )  # fmt: skip


def _trials(gpu: Gpu, batch: int, seconds: float, noise: np.random.Generator) -> Any:
    """A row a request: sequences of a batch share their steps, and a trial is a window of energy."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    clock = 0.0
    for trial in range(TRIALS + WARMUP):
        gaps = seconds * (1 + 0.02 * np.abs(noise.normal(size=OUTPUT)))
        gaps[0] += 4 * seconds  # the prompt
        times = (clock + np.cumsum(gaps)).round(7).tolist()
        shared = {
            "trial": trial, "phase": "warmup" if trial < WARMUP else "trial", "cluster": trial, "input_tokens": INPUT,
            "wanted_tokens": OUTPUT, "submit_s": clock, "start_s": clock, "token_s": times, "energy_window": trial,
            "window_j": 0.7 * gpu.watts * (times[-1] - clock),
        }  # fmt: skip
        rows += [{**shared, "request": trial * batch + place} for place in range(batch)]
        clock = times[-1] + 0.001
    return pa.Table.from_pylist(rows, schema=trial_schema())
