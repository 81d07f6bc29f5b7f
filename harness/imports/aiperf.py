"""Results of AIPerf (`profile_export_aiperf.json`, export schema 1.x; a file of version 0.13.0 was looked at).

AIPerf's `inter_token_latency` is (latency − TTFT) / (output tokens − those of the first chunk) a request: minizoo's `tpot`.
Its `inter_chunk_latency` pools the gaps of all requests: minizoo's `itl`, stated with as many independent samples as requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, model_validator

from harness.imports.drafts import (
    CLIENT_SIDE,
    MS,
    Draft,
    Given,
    Number,
    Part,
    Unusable,
    Whole,
    moment,
    point,
    printed,
    rate,
    requests_failed,
    scalars,
)
from harness.records.speed_record import Reason, Statistic

TOOL = "aiperf"
METRICS = {
    "time_to_first_token": "ttft",
    "inter_token_latency": "tpot",
    "inter_chunk_latency": "itl",
    "request_latency": "e2e",
}
RATES = {
    "output_token_throughput": "output_rate",
    "total_token_throughput": "total_rate",
    "request_throughput": "request_rate",
    "goodput": "goodput",
}
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": MS, "sec": 1.0, "s": 1.0}
PER_SECOND = {"tokens/sec", "requests/sec"}
LEFT_OUT = ("input_config", "telemetry_data", "run_info", "error_summary", "warmup_metrics")


class _Figures(Part):
    unit: str
    avg: Number | None = None
    p50: Number | None = None
    p90: Number | None = None
    p95: Number | None = None
    p99: Number | None = None
    count: Whole | None = None


class _Item(Part):
    name: str


class _Models(Part):
    items: list[_Item] = Field(default=[])


class _Phase(Part):
    kind: str | None = None
    name: str = ""
    concurrency: Whole | None = None
    rate: Number | None = None


class _Config(Part):
    models: _Models = Field(default_factory=_Models)
    phases: list[_Phase] = Field(default=[])

    @model_validator(mode="before")
    @classmethod
    def _as_older_versions_wrote_it(cls, config: Any) -> Any:
        """Before 0.9 the models stood in endpoint.model_names, the load in loadgen."""
        if (
            not isinstance(config, dict)
            or "models" in config
            or not isinstance(endpoint := config.get("endpoint"), dict)
        ):
            return config
        names = endpoint.get("model_names")
        load = config.get("loadgen")
        load = load if isinstance(load, dict) else {}
        phase = {"kind": "profiling", "concurrency": load.get("concurrency"), "rate": load.get("request_rate")}
        items = [{"name": name} for name in names] if isinstance(names, list) else []
        return {"models": {"items": items}, "phases": [phase]}


class _Gpu(Part):
    gpu_name: str


class _Endpoint(Part):
    gpus: dict[str, _Gpu] = Field(default={})


class _Telemetry(Part):
    endpoints: dict[str, _Endpoint] = Field(default={})


class _File(Part):
    aiperf_version: str | None = None
    request_count: _Figures
    request_latency: _Figures
    error_request_count: _Figures | None = None
    benchmark_duration: _Figures | None = None
    input_sequence_length: _Figures | None = None
    output_sequence_length: _Figures | None = None
    input_config: _Config = _Config()
    telemetry_data: _Telemetry = _Telemetry()
    was_cancelled: bool = False
    is_complete: bool = True
    incomplete_reason: str | None = None
    start_time: str = ""
    end_time: str = ""


def read_aiperf(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point: the profiling phase of the run."""
    file = _File.model_validate(document)
    requests = round(file.request_count.avg or 0)
    if not requests:
        raise Unusable("not one request was completed", "Look at AIPerf's log and measure again.")
    phase = next((p for p in file.input_config.phases if "profiling" in (p.kind, p.name)), _Phase())
    how = f"r{phase.rate:g}" if phase.rate else f"c{phase.concurrency}" if phase.concurrency else "all"
    facts = point(
        TOOL, TOOL, given.lengths(_mean(file.input_sequence_length), _mean(file.output_sequence_length)), how,
        list(_statistics(document, requests)), _seconds(file.benchmark_duration), reasons=list(_faults(file, requests)),
        notes=[CLIENT_SIDE], arriving=phase.rate, room=phase.concurrency,
    )  # fmt: skip
    gpus = sorted({gpu.gpu_name for at in file.telemetry_data.endpoints.values() for gpu in at.gpus.values()})
    names = [item.name for item in file.input_config.models.items]
    return [
        Draft(
            tool=TOOL, version=file.aiperf_version, task=f"{TOOL}.{facts.point}", suite=TOOL,
            model=names[0] if len(names) == 1 else None, backend="unknown", started=moment(file.start_time),
            finished=moment(file.end_time), gpu=", ".join(gpus) or None, speed=facts, rest=scalars(document, LEFT_OUT),
        )
    ]  # fmt: skip


def _statistics(document: Mapping[str, Any], requests: int) -> Iterator[Statistic]:
    for theirs, ours in METRICS.items():
        if theirs in document:
            figures = _Figures.model_validate(document[theirs])
            scale = _unit(theirs, figures.unit, SECONDS)
            told = figures.model_dump(include={"p50", "p90", "p95", "p99"}) | {"mean": figures.avg}
            yield from printed(ours, told, min(figures.count or requests, requests), scale)
    for theirs, ours in RATES.items():
        if theirs in document:
            figures = _Figures.model_validate(document[theirs])
            _unit(theirs, figures.unit, dict.fromkeys(PER_SECOND, 1.0))
            yield from rate(ours, figures.avg)


def _unit(metric: str, unit: str, known: Mapping[str, float]) -> float:
    if unit not in known:
        raise Unusable(f"{metric} is in '{unit:.40}', not in {' or '.join(known)}", "minizoo does not guess at units.")
    return known[unit]


def _faults(file: _File, requests: int) -> Iterator[Reason]:
    failed = round((file.error_request_count.avg if file.error_request_count else None) or 0)
    if failed:
        yield requests_failed(failed, failed + requests)
    if file.was_cancelled:
        yield Reason(code="run-incomplete", text="the run was cancelled")
    if not file.is_complete:
        told = file.incomplete_reason or "no reason told"
        yield Reason(code="run-incomplete", text=f"the run is not complete ({told})")


def _mean(figures: _Figures | None) -> float | None:
    return None if figures is None else figures.avg


def _seconds(figures: _Figures | None) -> float:
    if figures is None or figures.avg is None:
        return 0.0
    return figures.avg * _unit("benchmark_duration", figures.unit, SECONDS)
