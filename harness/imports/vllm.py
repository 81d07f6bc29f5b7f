"""Results of `vllm bench serve`, `throughput` and `latency` (`--save-result`, `--output-json`), by its source of late 2025.

vLLM's definitions: TPOT = (latency − TTFT) / (output tokens − 1) a request, as minizoo's `tpot`; ITL pools the gaps between
chunks of all requests; TTFT and E2E are taken at the client. No file names the GPU, the driver or vLLM's version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from harness.imports.drafts import (
    CLIENT_SIDE,
    LARGEST,
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
    sampled,
    scalars,
)
from harness.records.speed_record import SpeedFacts, Statistic

SERVE, THROUGHPUT, LATENCY = "vllm bench serve", "vllm bench throughput", "vllm bench latency"
METRICS = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2el": "e2e"}
"""vLLM's name → minizoo's."""
STATISTIC = re.compile(r"mean|median|p\d+(\.\d+)?")


class _Serve(Part):
    date: str = ""
    model_id: str | None = None
    backend: str = "vllm"
    request_rate: Number | str | None = None
    max_concurrency: Whole | None = None
    duration: Number
    completed: Whole
    failed: Whole = 0
    total_input_tokens: Whole
    total_output_tokens: Whole | None = None
    request_throughput: Number
    request_goodput: Number | None = None
    output_throughput: Number | None = None
    total_token_throughput: Number
    ttfts: list[Number] = Field(default=[])
    itls: list[list[Number]] = Field(default=[])
    output_lens: list[Whole] = Field(default=[])
    errors: list[str] = Field(default=[])


class _Throughput(Part):
    elapsed_time: Number
    num_requests: Whole
    total_num_tokens: Whole
    requests_per_second: Number
    tokens_per_second: Number


class _Latency(Part):
    avg_latency: Number
    latencies: list[Number] = Field(min_length=1)


def read_serve(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point. With `--save-detailed`, TTFT, TPOT and E2E come of the requests themselves and have intervals."""
    file = _Serve.model_validate(document)
    if not file.completed:
        raise Unusable("not one request was completed", "Look at the server's log and measure again.")
    out = None if file.total_output_tokens is None else file.total_output_tokens / file.completed
    arriving = file.request_rate if isinstance(file.request_rate, float) else None
    how = f"r{arriving:g}" if arriving else f"c{file.max_concurrency}" if file.max_concurrency else "all"
    facts = point(
        SERVE, "vllm-bench-serve", given.lengths(file.total_input_tokens / file.completed, out), how,
        _serve_statistics(file, document), file.duration, notes=[CLIENT_SIDE], arriving=arriving, room=file.max_concurrency,
        reasons=[requests_failed(file.failed, file.completed + file.failed)] if file.failed else [],
    )  # fmt: skip
    finished = moment(file.date, "%Y%m%d-%H%M%S")
    return [_draft(SERVE, facts, document, model=file.model_id, backend=file.backend, finished=finished)]


def read_throughput(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point: the rates of a whole run. The file names neither model nor lengths."""
    file = _Throughput.model_validate(document)
    figures = [*rate("request_rate", file.requests_per_second), *rate("total_rate", file.tokens_per_second)]
    facts = point(THROUGHPUT, "vllm-bench-throughput", given.lengths(), "all", figures, file.elapsed_time)
    return [_draft(THROUGHPUT, facts, document)]


def read_latency(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point: the latency of a batch, once an iteration. The file names neither model nor batch nor lengths; where the
    user does, rates follow."""
    file = _Latency.model_validate(document)
    found = sampled("e2e", file.latencies)
    if given.batch and given.output_tokens and all(file.latencies):
        out = given.batch * given.output_tokens
        found += sampled("output_rate", [out / seconds for seconds in file.latencies], (50,))
    facts = point(
        LATENCY, "vllm-bench-latency", given.lengths(), f"b{given.batch or 'any'}", found, sum(file.latencies),
        batch=given.batch, room=given.batch, trials=len(file.latencies),
    )  # fmt: skip
    return [_draft(LATENCY, facts, document)]


def _draft(
    tool: str, facts: SpeedFacts, document: Mapping[str, Any], model: str | None = None, backend: str = "vllm",
    finished: datetime | None = None,
) -> Draft:  # fmt: skip
    return Draft(
        tool=tool, task=f"{facts.workload}.{facts.point}", suite=facts.workload, model=model, backend=backend,
        finished=finished, speed=facts, rest=scalars(document),
    )  # fmt: skip


def _serve_statistics(file: _Serve, document: Mapping[str, Any]) -> list[Statistic]:
    detailed = _requests(file)
    found = [statistic for metric, values in detailed.items() for statistic in sampled(metric, values)]
    for theirs, ours in METRICS.items():
        if ours not in detailed:
            found += printed(ours, _figures(document, theirs), file.completed, MS)
    for metric, value in (
        ("output_rate", file.output_throughput),
        ("total_rate", file.total_token_throughput),
        ("request_rate", file.request_throughput),
        ("goodput", file.request_goodput),
    ):
        found += rate(metric, value)
    return found


def _requests(file: _Serve) -> dict[str, Sequence[float]]:
    """Each metric's value for every request that went well; nothing where the file has no details."""
    if not file.ttfts or not len(file.ttfts) == len(file.itls) == len(file.output_lens):
        return {}
    errors = file.errors if len(file.errors) == len(file.ttfts) else [""] * len(file.ttfts)
    rows = zip(file.ttfts, file.itls, file.output_lens, errors, strict=True)
    good = [(ttft, sum(gaps), out) for ttft, gaps, out, error in rows if out > 0 and not error]
    return {
        "ttft": [ttft for ttft, _, _ in good],
        "tpot": [gaps / (out - 1) for _, gaps, out in good if out > 1],
        "e2e": [ttft + gaps for ttft, gaps, _ in good],
    }


def _figures(document: Mapping[str, Any], metric: str) -> dict[str, float]:
    """`mean_ttft_ms`, `median_ttft_ms`, `p99_ttft_ms` … by statistic. Unusable for one that is no number."""
    found: dict[str, float] = {}
    for key, value in document.items():
        name, _, rest = key.partition("_")
        if rest != f"{metric}_ms" or not STATISTIC.fullmatch(name):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
            raise Unusable(f"{key} is {value!r:.40}, which is no time", "Measure again, or repair the file.")
        found["p50" if name == "median" else name] = float(value)
    return found
