"""Results of `trtllm-bench throughput` and `latency` (`--report_json`), to 1.3, by their sources.

Its TPOT is (end − first token) / (output tokens − 1) a request, as minizoo's `tpot`, but 0 for an answer of one token; a
percentile is sorted[int(n·q)], one rank above ours at most. Streaming figures are there only with `--streaming`, and always
for `latency`. Reports until 0.18 have no total rate, and until 0.21 no `machine`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.imports.drafts import Draft, Given, Number, Part, Unusable, Whole, point, scalars
from harness.imports.figures import MS, Figures, after_first, contradiction, requests_lost
from harness.records.speed_record import Reason

TOOL = "trtllm-bench"


NO_NAME = (None, "", "None")
"""What a model's name or path is where there is none: trtllm-bench writes Python's None as a text."""


class _Percentiles(Part):
    minimum: Number | None = None
    p50: Number | None = None
    p90: Number | None = None
    p95: Number | None = None
    p99: Number | None = None
    average: Number | None = None

    def figures(self) -> dict[str, float | None]:
        return self.model_dump(include={"p50", "p90", "p95", "p99"}) | {"mean": self.average}


class _Engine(Part):
    model: str | None = None
    model_path: str | None = None
    version: str | None = None
    backend: str | None = None
    dtype: str | None = None
    quantization: str | None = None


class _Machine(Part):
    name: str | None = None


class _World(Part):
    world_size: Whole = 1
    max_batch_size: Whole | None = None


class _Requests(Part):
    num_requests: Whole
    avg_num_concurrent_requests: Number | None = None
    avg_input_length: Number
    avg_output_length: Number


class _Performance(Part):
    total_latency_ms: Number
    request_throughput_req_s: Number
    system_output_throughput_tok_s: Number
    system_total_throughput_tok_s: Number | None = None
    avg_request_latency_ms: Number | None = None
    request_latency_percentiles_ms: _Percentiles = _Percentiles()


class _Streaming(Part):
    avg_ttft_ms: Number | None = None
    avg_tpot_ms: Number | None = None
    ttft_percentiles: _Percentiles = _Percentiles()
    tpot_percentiles: _Percentiles = _Percentiles()


class _Dataset(Part):
    num_requests: Whole | None = None


class _File(Part):
    engine: _Engine
    machine: _Machine | None = None
    world_info: _World = _World()
    request_info: _Requests
    performance: _Performance
    streaming_metrics: _Streaming | None = None
    dataset: _Dataset | None = None


def read_trtllm(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point. `dtype` is the weights' quantisation where there is one, else the engine's dtype."""
    file = _File.model_validate(document)
    info = file.request_info
    if not info.num_requests:
        raise Unusable("not one request was completed", "Look at the engine's log and measure again.")
    concurrent = round(info.avg_num_concurrent_requests or 0)
    world, engine = file.world_info, file.engine
    together = Reason(code="multiple-gpus", text=f"{world.world_size} GPUs worked together")
    facts = point(
        TOOL, TOOL, given.lengths(info.avg_input_length, info.avg_output_length), f"c{concurrent}" if concurrent else "all",
        _figures(file), file.performance.total_latency_ms * MS, reasons=_faults(file), room=world.max_batch_size,
        notes=[together] if world.world_size > 1 else [],
    )  # fmt: skip
    return [
        Draft(
            tool=TOOL, version=engine.version, task=f"{TOOL}.{facts.point}", suite=TOOL,
            model=next((name for name in (engine.model, engine.model_path) if name not in NO_NAME), None), backend="trtllm",
            dtype=engine.quantization or engine.dtype, gpu=file.machine.name if file.machine else None, speed=facts,
            rest=scalars(document), versions={"tensorrt-llm": engine.version} if engine.version else {},
        )
    ]  # fmt: skip


def _faults(file: _File) -> list[Reason]:
    """Requests of the data set that the report does not count."""
    asked, counted = (file.dataset.num_requests if file.dataset else None), file.request_info.num_requests
    if asked is None or asked == counted:
        return []
    if asked > counted:
        return [requests_lost(asked - counted, asked, counted)]
    return [contradiction(f"the data set has {asked} requests, but {counted} are counted")]


def _figures(file: _File) -> Figures:
    figures, run, streaming = Figures(), file.performance, file.streaming_metrics or _Streaming()
    requests = file.request_info.num_requests
    after = after_first(requests, file.request_info.avg_output_length)
    figures.times("e2e", {"mean": run.avg_request_latency_ms} | _told(run.request_latency_percentiles_ms), requests, MS)
    figures.times("ttft", {"mean": streaming.avg_ttft_ms} | _told(streaming.ttft_percentiles), requests, MS)
    tpot = {"mean": streaming.avg_tpot_ms} | _told(streaming.tpot_percentiles)
    if after and streaming.tpot_percentiles.minimum == 0 and any(tpot.values()):
        figures.leave_out("tpot", "some answers had one token, and trtllm-bench counts each of them as 0 ms")
    else:
        figures.times("tpot", tpot, after, MS)
    figures.rate("output_rate", run.system_output_throughput_tok_s)
    figures.rate("total_rate", run.system_total_throughput_tok_s)
    figures.rate("request_rate", run.request_throughput_req_s)
    return figures


def _told(percentiles: _Percentiles) -> dict[str, float | None]:
    return {name: value for name, value in percentiles.figures().items() if value is not None}
