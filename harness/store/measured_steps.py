"""Decode steps that were measured on a GPU, read from the database: what a latency beyond the data sheet is fitted to."""

from __future__ import annotations

from pathlib import Path

from harness.store.query import query
from zoo.arch.dims import Dense
from zoo.arch.gpus import Gpu
from zoo.arch.parameters import BITS
from zoo.arch.roofline import mean_context
from zoo.registry.loader import load_registry
from zoo.search.latency import Load, MeasuredStep

SQL = """
SELECT model, gpu, dtype, batch, input_tokens, output_tokens, median(value) AS seconds
FROM speed
WHERE metric = 'itl' AND statistic = 'p50' AND valid AND status = 'ok' AND rate IS NULL AND batch IS NOT NULL
      AND value > 0 AND gpu IS NOT NULL AND NOT coalesce(power_capped, false)
GROUP BY ALL ORDER BY ALL
"""


def measured_steps(results: Path, gpu: Gpu) -> list[MeasuredStep]:
    """One row for each model of the registry, batch and lengths that were measured on that GPU, dense models alone.

    The time is the median inter-token latency, the median over runs. Nothing where there is no results folder. Raises what
    `query` raises.
    """
    if not results.is_dir():
        return []
    models, names = load_registry().models, {name.lower() for name in gpu.names}
    found: list[MeasuredStep] = []
    for row in query(results, SQL):
        model = models.get(row["model"])
        plain = row["gpu"].strip().removeprefix("NVIDIA ").strip().lower()
        if model is None or not isinstance(model.architecture, Dense) or plain not in names or row["dtype"] not in BITS:
            continue
        context = mean_context(row["input_tokens"], row["output_tokens"])
        dtype = row["dtype"]
        found.append(MeasuredStep(model.architecture, Load(row["batch"], context, dtype, dtype), float(row["seconds"])))
    return found
