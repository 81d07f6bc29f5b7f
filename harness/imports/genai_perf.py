"""Results of GenAI-Perf, AIPerf's forerunner (`profile_export_genai_perf.json`), from 0.0.3 to 0.0.16, by its sources.

Times are in ms, in the first releases in ns. `request_count` is there since 0.0.10: before, nobody knows of how many requests a
percentile is. 0.0.8 wrote `requests/sec` as the unit of everything but a time, so the name of a rate tells its unit. Until
0.0.12 `input_config` has the options of the command line, since then a section each. What was not streamed has a "time to first
token" all the same, which is its latency. No file names GenAI-Perf's version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.imports.drafts import CLIENT_SIDE, Draft, Given, Number, Part, Unusable, Whole, plain, point, scalars
from harness.imports.figures import Figures, requests_failed, requests_lost
from harness.imports.metric_exports import TIMES, Exported, mean, take_rates, take_times, whole
from harness.records.speed_record import Reason

TOOL = "genai-perf"
LEFT_OUT = ("input_config", "telemetry_stats", "telemetry_data", "sessions")
STREAMED = ("time_to_first_token", "inter_token_latency")
INVALID_GOODPUT = -1
"""What the tool writes for an objective that it does not know."""


class _Stimulus(Part):
    concurrency: Whole | None = None
    request_rate: Number | None = None
    session_concurrency: Whole | None = None
    session_request_rate: Number | None = None


class _Measurement(Part):
    mode: str | None = None
    num: Whole | None = None


class _PerfAnalyzer(Part):
    stimulus: _Stimulus = _Stimulus()
    measurement: _Measurement = _Measurement()


class _Endpoint(Part):
    backend: str | None = None
    service_kind: str | None = None
    streaming: bool | None = None


class _Config(Part):
    model: str | list[str] | None = None
    model_names: str | list[str] | None = None
    concurrency: Whole | None = None
    request_rate: Number | None = None
    request_count: Whole | None = None
    backend: str | None = None
    service_kind: str | None = None
    streaming: bool | None = None
    perf_analyzer: _PerfAnalyzer = _PerfAnalyzer()
    endpoint: str | _Endpoint | None = None

    def stimulus(self) -> _Stimulus:
        """What the load was, wherever the release wrote it."""
        if self.concurrency is not None or self.request_rate is not None:
            return _Stimulus(concurrency=self.concurrency, request_rate=self.request_rate)
        return self.perf_analyzer.stimulus

    def at(self) -> _Endpoint:
        """What was asked; until 0.0.12 `endpoint` is a path and the rest stands beside it."""
        if isinstance(self.endpoint, _Endpoint):
            return self.endpoint
        return _Endpoint(backend=self.backend, service_kind=self.service_kind, streaming=self.streaming)

    def asked(self) -> int | None:
        """Requests to be sent, where that was how the run was bounded."""
        measured = self.perf_analyzer.measurement
        return self.request_count or (measured.num if measured.mode == "request_count" else None) or None

    def one_model(self) -> str | None:
        """The model's name, where it is one."""
        named = self.model or self.model_names
        names = [named] if isinstance(named, str) else named or []
        return names[0] if len(names) == 1 else None


class _File(Part):
    request_latency: Exported
    request_count: Exported | None = None
    error_request_count: Exported | None = None
    input_sequence_length: Exported | None = None
    output_sequence_length: Exported | None = None
    num_input_token: Exported | None = None
    num_output_token: Exported | None = None
    input_config: _Config = _Config()


def read_genai_perf(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point: one load of the run."""
    goodput = document.get("request_goodput")
    unknown = isinstance(goodput, dict) and goodput.get("avg") == INVALID_GOODPUT
    document = {name: value for name, value in document.items() if name != "request_goodput" or not unknown}
    file = _File.model_validate(document)
    requests = whole("request_count", file.request_count)
    if requests == 0:
        raise Unusable("not one request was completed", "Look at GenAI-Perf's log and measure again.")
    lengths = (
        mean(file.input_sequence_length or file.num_input_token),
        mean(file.output_sequence_length or file.num_output_token),
    )
    config, at = file.input_config, file.input_config.at()
    how, arriving, room = _load(config.stimulus())
    figures = _figures(document, at, requests, lengths[1] if lengths[1] is not None else given.output_tokens)
    if unknown:
        figures.leave_out("goodput", "GenAI-Perf wrote −1, for an objective that it does not know")
    facts = point(
        TOOL, TOOL, given.lengths(*lengths), how, figures, 0.0, reasons=list(_faults(file, requests)), notes=[CLIENT_SIDE],
        arriving=arriving, room=room,
    )  # fmt: skip
    triton = at.service_kind in {None, "triton"}
    return [
        Draft(
            tool=TOOL, task=f"{TOOL}.{facts.point}", suite=TOOL, model=config.one_model(),
            backend=plain(at.backend) if at.backend and triton else "unknown", speed=facts, rest=_rest(document, config),
        )
    ]  # fmt: skip


def _load(stimulus: _Stimulus) -> tuple[str, float | None, int | None]:
    """How the requests arrived as a point's name has it, their rate, and how many could run at a time."""
    rate = stimulus.request_rate or None
    if rate:
        return f"r{rate:g}", rate, None
    if stimulus.concurrency:
        return f"c{stimulus.concurrency}", None, stimulus.concurrency
    if stimulus.session_concurrency:
        return f"s{stimulus.session_concurrency}", None, stimulus.session_concurrency
    return (f"sr{stimulus.session_request_rate:g}" if stimulus.session_request_rate else "all"), None, None


def _figures(document: Mapping[str, Any], at: _Endpoint, requests: int | None, mean_output: float | None) -> Figures:
    figures = Figures()
    names = TIMES | ({"inter_token_latency": "itl"} if _is_first(document) else {})
    if at.streaming is False:
        for theirs in STREAMED:
            if theirs in document:
                figures.leave_out(names[theirs], "the answers were not streamed")
        names = {theirs: ours for theirs, ours in names.items() if theirs not in STREAMED}
    take_times(figures, document, requests, mean_output, names)
    take_rates(figures, document, units=False)
    return figures


def _is_first(document: Mapping[str, Any]) -> bool:
    """Whether the file is of the first releases: in ns, with an inter-token latency that pools the gaps of all requests."""
    return document["request_latency"].get("unit") == "ns"


def _faults(file: _File, requests: int | None) -> Iterator[Reason]:
    """Failed requests, and requests that were asked for and are not counted: GenAI-Perf leaves out empty answers."""
    failed = whole("error_request_count", file.error_request_count) or 0
    if failed:
        yield requests_failed(failed, failed + (requests or 0))
    asked = file.input_config.asked()
    if requests is None or asked is None:
        return
    if asked > requests + failed:
        yield requests_lost(asked - requests - failed, asked, requests)


def _rest(document: Mapping[str, Any], config: _Config) -> dict[str, Any]:
    """What else the file says. Of the configuration, which can hold secrets, the load and the endpoint's kind alone."""
    load = {
        "stimulus": config.stimulus().model_dump(exclude_none=True),
        "endpoint": config.at().model_dump(exclude_none=True),
    }
    return scalars(document, LEFT_OUT) | scalars({"input_config": load})
