"""Results of `vllm bench throughput` and `latency` (`--output-json`) and of the scripts before them: the same keys to
0.32, and since 0.33 the model's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from harness.imports.drafts import Draft, Given, Number, Part, Unusable, Whole, point, scalars
from harness.imports.figures import Figures
from harness.records.speed_record import SpeedFacts

THROUGHPUT, LATENCY = "vllm bench throughput", "vllm bench latency"


class _Throughput(Part):
    model_id: str | None = None
    elapsed_time: Number
    num_requests: Whole
    total_num_tokens: Whole
    requests_per_second: Number
    tokens_per_second: Number


class _Latency(Part):
    model_id: str | None = None
    avg_latency: Number
    latencies: list[Number] = Field(min_length=1)


def read_throughput(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point: the rates of a whole run, which has no times of requests. The file names no lengths."""
    file = _Throughput.model_validate(document)
    if not file.num_requests:
        raise Unusable("not one request was completed", "Measure again.")
    figures = Figures()
    figures.rate("request_rate", file.requests_per_second)
    figures.rate("total_rate", file.tokens_per_second)
    facts = point(THROUGHPUT, "vllm-bench-throughput", given.lengths(), "all", figures, file.elapsed_time)
    return [_draft(THROUGHPUT, facts, document, file.model_id)]


def read_latency(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point: the latency of a batch, once an iteration. The file names neither batch nor lengths; where the user does,
    rates follow."""
    file = _Latency.model_validate(document)
    if not all(file.latencies):
        raise Unusable("an iteration of it took 0 s", "Measure again.")
    figures = Figures()
    figures.samples("e2e", file.latencies)
    if given.batch and given.output_tokens:
        out = given.batch * given.output_tokens
        figures.samples("output_rate", [out / seconds for seconds in file.latencies], (50,))
    facts = point(
        LATENCY, "vllm-bench-latency", given.lengths(), f"b{given.batch or 'any'}", figures, sum(file.latencies),
        batch=given.batch, room=given.batch, trials=len(file.latencies),
    )  # fmt: skip
    return [_draft(LATENCY, facts, document, file.model_id)]


def _draft(tool: str, facts: SpeedFacts, document: Mapping[str, Any], model: str | None) -> Draft:
    return Draft(
        tool=tool, task=f"{facts.workload}.{facts.point}", suite=facts.workload, model=model, backend="vllm", speed=facts,
        rest=scalars(document),
    )  # fmt: skip
