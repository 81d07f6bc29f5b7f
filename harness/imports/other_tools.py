"""Tools whose results minizoo does not take, known by their files, so that a refusal names the tool.

Several write nearly the keys of a tool that is taken (SGLang's bench_serving began as a copy of vLLM's), with other meanings:
so these are looked for first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast


class Tell(NamedTuple):
    """What gives a tool's file away: all of these dotted paths are in it (a number steps into a list)."""

    tool: str
    paths: tuple[str, ...]
    instead: str = ""
    """What to do instead, where something can be."""


BESIDE = "Import profile_export_aiperf.json, which AIPerf writes beside it."
TELLS = (
    Tell("SGLang's bench_serving, or of a tool made from it", ("total_output_tokens_retokenized",)),
    Tell("SGLang's bench_serving, or of a tool made from it", ("completed", "mean_e2e_latency_ms")),
    Tell("SGLang's bench_serving, or of a tool made from it", ("completed", "accept_length")),
    Tell("SGLang's bench_serving, or of a tool made from it", ("sharegpt_output_len", "random_input_len")),
    Tell("SGLang's bench_one_batch", ("run_name", "batch_size", "overall_throughput")),
    Tell("SGLang's bench_one_batch", ("run_name", "batch_size", "prefill_latency")),
    Tell("SGLang's bench_offline_throughput", ("successful_requests", "total_latency", "last_gen_throughput")),
    Tell("TensorRT-LLM's benchmark_serving", ("completed", "user_throughput")),
    Tell("TensorRT-LLM's benchmark_serving", ("completed", "avg_decoded_tokens_per_iter")),
    Tell("trtllm-bench (--request_json)", ("end_to_end_latency", "time_to_first_token", "num_input_tokens"),
         "Import the file of --report_json."),
    Tell("InferenceMAX", ("tput_per_gpu",)),
    Tell("LLMPerf", ("results_num_requests_started",)),
    Tell("LLMPerf", ("results_error_rate",)),
    Tell("LLMPerf", ("request_output_throughput_token_per_s",)),
    Tell("GuideLLM", ("metadata.guidellm_version",)),
    Tell("GuideLLM", ("benchmarks.0.scheduler_state",)),
    Tell("GuideLLM", ("benchmarks.0.scheduler_metrics",)),
    Tell("GuideLLM", ("benchmarks.0.request_totals",)),
    Tell("GuideLLM", ("benchmarks.0.run_stats",)),
    Tell("GuideLLM", ("benchmarks.0.completed_request_rate",)),
    Tell("inference-perf", ("load_summary", "successes", "failures")),
    Tell("Hugging Face's inference-benchmarker", ("results.0.token_throughput_secs",)),
    Tell("Optimum-Benchmark", ("report.decode",)),
    Tell("Optimum-Benchmark", ("report.prefill",)),
    Tell("DeepSpeed-MII", ("response_details",)),
    Tell("DeepSpeed-MII", ("generated_tokens", "token_gen_time")),
    Tell("EvalScope", ("Number of concurrency", "Total requests")),
    Tell("llama.cpp's llama-bench", ("n_prompt", "n_gen", "avg_ts")),
    Tell("llama.cpp's server", ("timings.predicted_per_second",)),
    Tell("Ollama", ("eval_count", "eval_duration")),
    Tell("MLPerf", ("namespace", "event_type", "time_ms")),
    Tell("Perf Analyzer", ("experiments", "service_kind"),
         "Import profile_export_genai_perf.json, which GenAI-Perf writes beside it."),
    Tell("AIPerf's sweeps and repeated runs", ("metadata.aggregation_type",), "Import each run's profile_export_aiperf.json."),
    Tell("AIPerf's sweeps and repeated runs", ("aggregation_type",), "Import each run's profile_export_aiperf.json."),
    Tell("AIPerf's time slices", ("timeslices",), BESIDE),
    Tell("AIPerf's records of requests", ("metadata.request_start_ns", "metrics"), BESIDE),
    Tell("vLLM's copy for PyTorch's benchmark database", ("benchmark", "model", "metric.benchmark_values"),
         "Import the file without .pytorch in its name."),
    Tell("LightEval", ("config_general", "results")),
    Tell("pytest-benchmark", ("machine_info", "benchmarks")),
    Tell("Google Benchmark", ("context", "benchmarks")),
    Tell("Locust", ("num_requests", "num_failures", "response_times")),
    Tell("k6", ("root_group", "metrics")),
    Tell("oha", ("summary", "responseTimeHistogram")),
    Tell("Fortio", ("DurationHistogram", "ActualQPS")),
    Tell("Vegeta", ("latencies", "bytes_in", "status_codes")),
    Tell("hyperfine", ("results.0.command", "results.0.times")),
)  # fmt: skip
TEXTS = (
    (":::MLLOG", "MLPerf", ""),
    ("MLPerf Results Summary", "MLPerf", ""),
    ("Metric,avg,min,max,p99", "AIPerf or GenAI-Perf", "Import the .json that it writes beside it."),
    ("Metric,avg,min,max,sum,p1", "AIPerf or GenAI-Perf", "Import the .json that it writes beside it."),
    ("Type,Name,Request Count,Failure Count", "Locust", ""),
)
"""What stands at the beginning of a file that is not JSON, the tool, and what to do instead."""
BEGINNING = 2000


def tell_of(document: Mapping[str, Any]) -> Tell | None:
    """The tool that wrote the document, of those that are known and not taken."""
    return next((tell for tell in TELLS if all(_has(document, path.split(".")) for path in tell.paths)), None)


def tool_of_text(text: str) -> tuple[str, str] | None:
    """The tool that wrote a text that is not JSON, and what to do instead."""
    beginning = text[:BEGINNING]
    return next(((tool, instead) for start, tool, instead in TEXTS if start in beginning), None)


def _has(value: Any, path: list[str]) -> bool:
    for step in path:
        if isinstance(value, dict) and step in value:
            value = cast("dict[str, Any]", value)[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[int(step)]
        else:
            return False
    return True
