"""Results of AIPerf (`profile_export_aiperf.json`), from 0.1 to 0.13, by its sources and a file of 0.13.0.

0.1 wrote its metrics under `records`; the version is there since 0.4, a metric's count since 0.8. Before 0.9 models stood in
`endpoint.model_names` and the load in `loadgen`, since then in `models` and `phases`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import Field, model_validator

from harness.imports.drafts import CLIENT_SIDE, Draft, Given, Number, Part, Unusable, Whole, moment, point, scalars
from harness.imports.figures import Figures, contradiction, requests_failed
from harness.imports.metric_exports import SECONDS, Exported, in_unit, mean, take_rates, take_times, whole
from harness.records.speed_record import Reason

TOOL = "aiperf"
LEFT_OUT = ("input_config", "telemetry_data", "run_info", "error_summary", "warmup_metrics")


class _Item(Part):
    name: str


class _Models(Part):
    items: list[_Item] = Field(default=[])


class _Phase(Part):
    kind: str | None = None
    name: str = ""
    concurrency: Whole | None = None
    rate: Number | None = None
    requests: Whole | None = None
    duration: Any = None
    sessions: Any = None


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
        phase = {"kind": "profiling", "concurrency": load.get("concurrency"), "rate": load.get("request_rate"),
                 "requests": load.get("request_count"), "duration": load.get("benchmark_duration")}  # fmt: skip
        items = [{"name": name} for name in names] if isinstance(names, list) else []
        return {"models": {"items": items}, "phases": [phase]}


class _Gpu(Part):
    gpu_name: str


class _Endpoint(Part):
    gpus: dict[str, _Gpu] = Field(default={})


class _Telemetry(Part):
    endpoints: dict[str, _Endpoint] = Field(default={})


class _ErrorKind(Part):
    count: Whole = 0


class _File(Part):
    aiperf_version: str | None = None
    request_count: Exported | None = None
    request_latency: Exported | None = None
    error_request_count: Exported | None = None
    benchmark_duration: Exported | None = None
    input_sequence_length: Exported | None = None
    output_sequence_length: Exported | None = None
    input_config: _Config | None = None
    telemetry_data: _Telemetry | None = None
    error_summary: list[_ErrorKind] | None = None
    was_cancelled: bool | None = None
    is_complete: bool | None = None
    incomplete_reason: str | None = None
    start_time: str | None = None
    end_time: str | None = None


def read_aiperf(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point: the profiling phase of the run."""
    document = flat(document)
    file = _File.model_validate(document)
    requests = whole("request_count", file.request_count)
    if not requests:
        raise Unusable("not one request was completed", "Look at AIPerf's log and measure again.")
    config = file.input_config or _Config()
    profiling = [phase for phase in config.phases if "profiling" in (phase.kind, phase.name)]
    phase = profiling[0] if len(profiling) == 1 else _Phase()
    how = f"r{phase.rate:g}" if phase.rate else f"c{phase.concurrency}" if phase.concurrency else "all"
    lengths = mean(file.input_sequence_length), mean(file.output_sequence_length)
    figures = Figures()
    take_times(figures, document, requests, lengths[1] if lengths[1] is not None else given.output_tokens)
    take_rates(figures, document)
    facts = point(
        TOOL, TOOL, given.lengths(*lengths), how, figures, _seconds(file.benchmark_duration),
        reasons=list(_faults(file, requests, phase)), notes=[CLIENT_SIDE], arriving=phase.rate, room=phase.concurrency,
    )  # fmt: skip
    endpoints = file.telemetry_data.endpoints if file.telemetry_data else {}
    gpus = sorted({gpu.gpu_name for at in endpoints.values() for gpu in at.gpus.values()})
    names = [item.name for item in config.models.items]
    return [
        Draft(
            tool=TOOL, version=file.aiperf_version, task=f"{TOOL}.{facts.point}", suite=TOOL,
            model=names[0] if len(names) == 1 else None, backend="unknown", started=moment(file.start_time or ""),
            finished=moment(file.end_time or ""), gpu=", ".join(gpus) or None, speed=facts,
            rest=scalars(document, LEFT_OUT),
        )
    ]  # fmt: skip


def flat(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document with its metrics at the top, where 0.1 had them under `records`."""
    records = document.get("records")
    if not isinstance(records, dict):
        return document
    return {name: value for name, value in document.items() if name != "records"} | cast("dict[str, Any]", records)


def _faults(file: _File, requests: int, phase: _Phase) -> Iterator[Reason]:
    """Failed requests, requests that were asked for and are not counted, and a run that was broken off."""
    told = whole("error_request_count", file.error_request_count)
    listed = sum(kind.count for kind in file.error_summary or ())
    failed = listed if told is None else told
    if failed:
        yield requests_failed(failed, failed + requests)
    if told is not None and listed > told:
        yield contradiction(f"error_summary lists {listed} errors, but error_request_count is {told}")
    asked = phase.requests if phase.duration is None and phase.sessions is None else None
    if asked is not None and asked > requests + failed:
        lost = asked - requests - failed
        yield Reason(
            code="requests-failed", text=f"{lost} of {asked} requests were lost: {requests} completed, {failed} failed"
        )
    if file.was_cancelled:
        yield Reason(code="run-incomplete", text="the run was cancelled")
    if file.is_complete is False:
        reason = file.incomplete_reason or "no reason told"
        yield Reason(code="run-incomplete", text=f"the run is not complete ({reason})")


def _seconds(duration: Exported | None) -> float:
    if duration is None or duration.avg is None:
        return 0.0
    return duration.avg * in_unit("benchmark_duration", duration.unit, SECONDS)
