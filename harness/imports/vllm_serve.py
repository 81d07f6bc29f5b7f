"""Results of `vllm bench serve` and of `benchmark_serving.py` before it (`--save-result`), from 0.3 to 0.33, by their sources.

vLLM's definitions: TPOT = (latency − TTFT) / (output tokens − 1) a request, as minizoo's `tpot` (until 0.3, latency / output
tokens, as `tpot_guidellm`); ITL pools the gaps between chunks of all requests; TTFT and E2E are taken at the client. No file
names the GPU, the driver or vLLM's version. docs/performance.md lists which key is of which release.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import AliasChoices, Field

from harness.imports.drafts import (
    CLIENT_SIDE,
    LARGEST,
    Draft,
    Given,
    Number,
    Part,
    Unusable,
    Whole,
    moment,
    point,
    scalars,
)
from harness.imports.figures import MS, Figures, after_first, contradiction, requests_failed, requests_lost
from harness.records.speed_record import Reason

SERVE, WORKLOAD = "vllm bench serve", "vllm-bench-serve"
METRICS = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2el": "e2e"}
"""vLLM's name → minizoo's."""
STATISTIC = re.compile(r"mean|median|p\d+(\.\d+)?")
LATER_THAN_0_3 = frozenset({"mean_itl_ms", "median_itl_ms", "itls", "total_token_throughput"})
"""Keys that a release has written only since its TPOT leaves the first token out."""


class _Serve(Part):
    date: str = ""
    model_id: str | None = None
    backend: str | None = None
    endpoint_type: str | None = None
    num_prompts: Whole | None = None
    request_rate: Number | str | None = None
    ramp_up_strategy: str | None = None
    ramp_up_start_rps: Number | None = None
    ramp_up_end_rps: Number | None = None
    max_concurrency: Whole | None = None
    duration: Number
    completed: Whole
    failed: Whole | None = None
    total_input_tokens: Whole
    total_input_sequences: Whole | None = None
    total_output_tokens: Whole | None = None
    request_throughput: Number = Field(validation_alias=AliasChoices("request_throughput", "request_inthroughput"))
    request_goodput: Number | None = Field(None, validation_alias=AliasChoices("request_goodput", "request_goodput:"))
    input_throughput: Number | None = None
    output_throughput: Number | None = None
    total_token_throughput: Number | None = None
    input_lens: list[Whole] = Field(default=[])
    ttfts: list[Number] = Field(default=[])
    itls: list[list[Number]] = Field(default=[])
    output_lens: list[Whole] = Field(default=[])
    latencies: list[Number] = Field(default=[])
    errors: list[str] = Field(default=[])

    def listed(self) -> dict[str, int]:
        """How many requests each list of the file has, for those that are there."""
        lists = {"input_lens": self.input_lens, "output_lens": self.output_lens, "ttfts": self.ttfts, "itls": self.itls,
                 "latencies": self.latencies, "errors": self.errors}  # fmt: skip
        return {name: len(values) for name, values in lists.items() if values}


@dataclass(frozen=True)
class _Request:
    """One request that went well, in seconds; None is what was not measured."""

    ttft: float | None
    tpot: float | None
    e2e: float | None
    tokens: int


def read_serve(document: Mapping[str, Any], given: Given) -> list[Draft]:
    """One point. With `--save-detailed`, TTFT, TPOT and E2E come of the requests themselves and have intervals."""
    file = _Serve.model_validate(document)
    if not file.completed:
        raise Unusable("not one request was completed", "Look at the server's log and measure again.")
    out = None if file.total_output_tokens is None else file.total_output_tokens / file.completed
    how, arriving = _arrival(file)
    facts = point(
        SERVE, WORKLOAD, given.lengths(file.total_input_tokens / file.completed, out), how,
        _figures(file, document, given.output_tokens if out is None else out), file.duration, reasons=list(_faults(file)),
        notes=[CLIENT_SIDE], arriving=arriving, room=file.max_concurrency,
    )  # fmt: skip
    return [
        Draft(
            tool=SERVE, task=f"{WORKLOAD}.{facts.point}", suite=WORKLOAD, model=file.model_id,
            backend=file.backend or file.endpoint_type or "vllm", finished=moment(file.date, "%Y%m%d-%H%M%S"),
            speed=facts, rest=scalars(document),
        )
    ]  # fmt: skip


def _arrival(file: _Serve) -> tuple[str, float | None]:
    """How the requests arrived, as a point's name has it, and their rate where it is one number."""
    rate = file.request_rate
    if isinstance(rate, str) and rate != "inf":
        raise Unusable(f"request_rate is {rate!r:.40}, which is no number", "Measure again, or repair the file.")
    if file.ramp_up_strategy and file.ramp_up_start_rps is not None and file.ramp_up_end_rps is not None:
        return f"ramp{file.ramp_up_start_rps:g}to{file.ramp_up_end_rps:g}", None
    if isinstance(rate, float) and rate:
        return f"r{rate:g}", rate
    return f"c{file.max_concurrency}" if file.max_concurrency else "all", None


def _faults(file: _Serve) -> Iterator[Reason]:
    """Requests that failed or were lost, and counts that contradict one another.

    Releases before 0.11.2 count no failures, and none does for pooling models: there the lists or `num_prompts` tell. With
    `total_input_sequences` a request has several prompts.
    """
    completed, listed = file.completed, file.listed()
    if len(set(listed.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in listed.items())
        yield contradiction(f"the file's lists are of unlike numbers of requests ({told})")
    prompts = (
        file.num_prompts,
        completed if file.total_input_sequences is None else file.total_input_sequences,
        "num_prompts",
    )
    requests = (max(listed.values(), default=None), completed, "the number of requests listed")
    failures = sum(map(bool, file.errors))
    if file.failed is not None:
        for total, done, name in (prompts, requests):
            if total is not None and total != done + file.failed:
                yield contradiction(f"{name} is {total}, but {done} completed and {file.failed} failed")
        if file.errors and failures > file.failed:
            yield contradiction(f"{failures} requests have an error, but failed is {file.failed}")
        if file.failed:
            yield requests_failed(file.failed, completed + file.failed)
        return
    for total, done, name in (prompts, requests):
        if total is not None and total < done:
            yield contradiction(f"{name} is {total}, but {done} completed")
    total, done, _ = prompts if requests[0] is None else requests
    if total is not None and total > done:
        yield requests_lost(total - done, total, done)
    elif failures:
        yield requests_failed(failures, done)


def _figures(file: _Serve, document: Mapping[str, Any], mean_output: float | None) -> Figures:
    figures = Figures()
    requests = _requests(file)
    sampled = {
        "ttft": [one.ttft for one in requests if one.ttft],
        "tpot": [one.tpot for one in requests if one.tpot],
        "e2e": [one.e2e for one in requests if one.e2e] if requests else _latencies(file),
    }
    for metric, values in sampled.items():
        possible = sum(metric != "tpot" or one.tokens > 1 for one in requests)
        if values and len(values) < possible:
            figures.leave_out(metric, f"{possible - len(values)} of {possible} requests have none")
        figures.samples(metric, values)
    later = not LATER_THAN_0_3.isdisjoint(document)
    for theirs, ours in METRICS.items():
        if sampled.get(ours):
            continue
        if ours == "tpot" and not later:
            figures.times("tpot_guidellm", _printed(document, theirs), file.completed, MS)
            continue
        after = after_first(file.completed, mean_output) if ours in {"tpot", "itl"} else file.completed
        figures.times(ours, _printed(document, theirs), after, MS)
    both = file.input_throughput is not None and file.output_throughput is not None
    figures.rate("output_rate", file.output_throughput)
    total = (file.input_throughput or 0) + (file.output_throughput or 0) if both else None
    figures.rate("total_rate", total if file.total_token_throughput is None else file.total_token_throughput)
    figures.rate("request_rate", file.request_throughput)
    figures.rate("goodput", file.request_goodput)
    return figures


def _latencies(file: _Serve) -> list[float]:
    """Since 0.32 each request's latency, details or not; without the errors only where every request went well."""
    whole = len(file.latencies) == file.completed and not file.failed and not any(file.errors)
    return [seconds for seconds in file.latencies if seconds] if whole else []


def _requests(file: _Serve) -> list[_Request]:
    """Every request that went well; empty where the file has no details, or lists that do not belong together."""
    count = len(file.ttfts)
    if not count or not count == len(file.itls) == len(file.output_lens):
        return []
    if any(len(values) not in {0, count} for values in (file.latencies, file.errors)):
        return []
    rows = zip(
        file.ttfts,
        file.itls,
        file.output_lens,
        file.latencies or [None] * count,
        file.errors or [""] * count,
        strict=True,
    )
    return [_request(ttft, gaps, out, took) for ttft, gaps, out, took, error in rows if out > 0 and not error]


def _request(ttft: float, gaps: list[float], out: int, took: float | None) -> _Request:
    """Before 0.32 no file has the latency, which is TTFT and the gaps together where the answer was streamed."""
    e2e = took or (ttft + sum(gaps) if ttft else None)
    tpot = (e2e - ttft) / (out - 1) if e2e and ttft and out > 1 else None
    return _Request(ttft or None, tpot if tpot and tpot > 0 else None, e2e, out)


def _printed(document: Mapping[str, Any], metric: str) -> dict[str, float]:
    """`mean_ttft_ms`, `median_ttft_ms`, `p99_ttft_ms` … by statistic. Unusable for one that is no number."""
    found: dict[str, float] = {}
    for key, value in document.items():
        name, _, rest = key.partition("_")
        if rest != f"{metric}_ms" or not STATISTIC.fullmatch(name) or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
            raise Unusable(f"{key} is {value!r:.40}, which is no time", "Measure again, or repair the file.")
        found.setdefault("p50" if name == "median" else name, float(value))
    return found
