"""Which tool wrote a document, and its reader. Whatever is not taken is refused by the tool's name, or by what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import ValidationError

from harness.imports.aiperf import flat, read_aiperf
from harness.imports.drafts import NOT_STORED, Draft, Given, Unusable, one_line
from harness.imports.genai_perf import read_genai_perf
from harness.imports.lm_eval_results import read_lm_eval
from harness.imports.other_tools import tell_of
from harness.imports.trtllm import read_trtllm
from harness.imports.vllm import read_latency, read_throughput
from harness.imports.vllm_serve import read_serve
from zoo.errors import InvalidImport, UnknownTool

NEARLY = 2
"""Keys of a kind that a document must have to be called a broken one of that kind."""
AIPERF_ALONE = {
    "aiperf_version",
    "was_cancelled",
    "error_summary",
    "benchmark_duration",
    "telemetry_data",
    "run_info",
    "records",
}
GENAI_PERF_CONFIG = {
    "subcommand",
    "formatted_model_name",
    "service_kind",
    "perf_analyzer",
    "model",
    "model_names",
    "backend",
}


@dataclass(frozen=True)
class Format:
    """A kind of document, known by keys that all of its kind have (one of each group); and its reader."""

    name: str
    keys: tuple[frozenset[str], ...]
    also: frozenset[str]
    """Further keys that give a broken one away."""
    read: Callable[[Mapping[str, Any], Given], list[Draft]]

    def missing(self, document: Mapping[str, Any]) -> list[str]:
        """What of its keys the document does not have."""
        return [" or ".join(sorted(group)) for group in self.keys if group.isdisjoint(document)]

    def likeness(self, document: Mapping[str, Any]) -> int:
        """How many of its keys the document has."""
        return sum(key in document for key in frozenset().union(*self.keys, self.also))


def _format(
    name: str, keys: tuple[str, ...], also: tuple[str, ...], read: Callable[[Mapping[str, Any], Given], list[Draft]]
) -> Format:
    return Format(name, tuple(frozenset(key.split("|")) for key in keys), frozenset(also), read)


EXPORT = ("request_latency",), ("request_throughput", "request_count", "time_to_first_token", "output_token_throughput")
AIPERF = _format("AIPerf profile_export_aiperf.json", *EXPORT, read_aiperf)
GENAI_PERF = _format("GenAI-Perf profile_export_genai_perf.json", *EXPORT, read_genai_perf)
FORMATS = (
    _format("lm-eval results_….json", ("results", "configs", "versions"), (), read_lm_eval),
    _format("vllm bench serve", ("duration", "completed", "request_throughput|request_inthroughput"),
            ("num_prompts", "total_input_tokens", "total_output_tokens", "mean_ttft_ms", "mean_tpot_ms"), read_serve),
    _format("vllm bench throughput", ("elapsed_time", "num_requests", "requests_per_second"),
            ("total_num_tokens", "tokens_per_second"), read_throughput),
    _format("vllm bench latency", ("avg_latency", "latencies"), ("percentiles",), read_latency),
    _format("trtllm-bench --report_json", ("engine", "request_info", "performance"), ("world_info",), read_trtllm),
    AIPERF,
    GENAI_PERF,
)  # fmt: skip
SUPPORTED = "; ".join(form.name for form in FORMATS)


def drafts_of(where: str, document: Any, given: Given) -> list[Draft]:
    """What one parsed document says; UnknownTool or InvalidImport, with `where` in it, for one that cannot be taken."""
    form = _form(where, document)
    try:
        drafts = form.read(document, given)
    except ValidationError as error:
        first = error.errors()[0]
        at = one_line(".".join(map(str, first["loc"])))
        raise InvalidImport(
            f"{where} looks like {form.name}, but {at}: {first['msg'].lower()}, not {first['input']!r:.40}."
            if first["type"] != "missing"
            else f"{where} looks like {form.name}, but has no {at}.",
            f"{NOT_STORED} Write the file again with the tool.",
        ) from None
    except Unusable as error:
        reason, hint = error.args
        raise InvalidImport(f"{where} ({form.name}): {one_line(reason)}.", f"{NOT_STORED} {hint}") from None
    return [_completed(where, draft, given) for draft in drafts]


def _form(where: str, document: Any) -> Format:
    """The kind of a document. UnknownTool for one of none; InvalidImport for one that has only some of a kind's keys."""
    hint = f"It imports: {SUPPORTED}."
    if not isinstance(document, dict):
        raise UnknownTool(f"{where} is the result of no tool that minizoo knows.", hint)
    document = flat(cast("dict[str, Any]", document))
    if tell := tell_of(document):
        raise UnknownTool(f"{where} is a result of {tell.tool}, which minizoo does not import.", tell.instead or hint)
    if form := next((form for form in FORMATS if not form.missing(document)), None):
        return _export_of(where, document) if form is AIPERF else form
    nearest = max(FORMATS, key=lambda form: form.likeness(document))
    if nearest.likeness(document) >= NEARLY:
        lacks = ", ".join(nearest.missing(document))
        raise InvalidImport(
            f"{where} looks like {nearest.name}, but has no {lacks}.",
            f"{NOT_STORED} Write the file again with the tool.",
        )
    raise UnknownTool(f"{where} is the result of no tool that minizoo knows.", hint)


def _export_of(where: str, document: Mapping[str, Any]) -> Format:
    """AIPerf's or GenAI-Perf's: their metrics have the same names. Each writes things that the other does not."""
    config, count = document.get("input_config"), document.get("request_count")
    unit = count.get("unit") if isinstance(count, dict) else None
    ours = cast("dict[str, Any]", config) if isinstance(config, dict) else {}
    of_genai = "telemetry_stats" in document or unit == "count" or not GENAI_PERF_CONFIG.isdisjoint(ours)
    if not AIPERF_ALONE.isdisjoint(document) or unit == "requests" or not {"loadgen", "phases"}.isdisjoint(ours):
        return AIPERF
    if of_genai:
        return GENAI_PERF
    raise InvalidImport(
        f"{where} has the metrics of AIPerf and of GenAI-Perf, and nothing tells which of them wrote it.",
        f"{NOT_STORED} Take the whole file that the tool wrote.",
    )


def _completed(where: str, draft: Draft, given: Given) -> Draft:
    """The draft with what the user says in place of what the file says."""
    model = given.model or draft.model
    if not model:
        raise InvalidImport(f"{where} ({draft.tool}) does not name one model.", f"{NOT_STORED} Name it: --model NAME.")
    return replace(draft, model=model, gpu=given.gpu or draft.gpu, dtype=given.dtype or draft.dtype)
