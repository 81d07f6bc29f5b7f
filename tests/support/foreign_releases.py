"""Results in the forms of other releases than those of foreign_results, by the keys that their sources wrote."""

from support.foreign_results import AIPERF, SERVE, TRTLLM, changed


def times(metric, mean, median, p99):
    """vLLM's printed figures of a metric in ms."""
    return {f"mean_{metric}_ms": mean, f"median_{metric}_ms": median, f"p99_{metric}_ms": p99}


MODEL = {"model_id": "nvidia/Minitron-4B-Base", "tokenizer_id": "nvidia/Minitron-4B-Base"}
COUNTS = {"duration": 20.0, "completed": 400, "total_input_tokens": 204800, "total_output_tokens": 51200}
RATES_0_3 = {"input_throughput": 10240.0, "output_throughput": 2560.0}
LISTS = {
    "input_lens": [512] * 400, "output_lens": [128] * 400, "ttfts": [0.05 + i / 10_000 for i in range(400)],
    "itls": [[0.01] * 127] * 400, "generated_texts": ["word"] * 400, "errors": [""] * 400,
}  # fmt: skip
SERVE_0_3 = {
    "date": "20240222-101500", "backend": "vllm", "version": "N/A", **MODEL, "best_of": 1, "use_beam_search": False,
    "num_prompts": 400, "request_rate": "inf", **COUNTS, "request_inthroughput": 20.0, **RATES_0_3,
    **times("ttft", 60.0, 55.0, 91.0), **times("tpot", 12.0, 11.5, 15.0),
}  # fmt: skip
SERVE_0_4 = {
    "date": "20240502-101500", "backend": "vllm", **MODEL, "best_of": 1, "use_beam_search": False, "num_prompts": 400,
    "request_rate": 20.0, **COUNTS, "request_throughput": 20.0, **RATES_0_3, **times("ttft", 60.0, 55.0, 91.0),
    **times("tpot", 11.0, 10.5, 14.0), **times("itl", 11.1, 10.6, 21.0), **LISTS,
}  # fmt: skip
SERVE_0_8 = {
    "date": "20250420-101500", "backend": "vllm", **MODEL, "num_prompts": 400, "request_rate": 20.0, "burstiness": 1.0,
    "max_concurrency": None, **COUNTS, "request_throughput": 20.0, "request_goodput:": 18.5, "output_throughput": 2560.0,
    "total_token_throughput": 12800.0, **times("ttft", 60.0, 55.0, 91.0), **times("e2el", 1400.0, 1390.0, 1500.0),
}  # fmt: skip
SERVE_0_10 = {
    "date": "20250910-101500", "endpoint_type": "openai-chat", "label": None, **MODEL, "num_prompts": 400,
    "request_rate": "inf", "burstiness": 1.0, "max_concurrency": None, "ramp_up_strategy": "linear", "ramp_up_start_rps": 2,
    "ramp_up_end_rps": 40, **COUNTS, "request_throughput": 20.0, "request_goodput": None, "output_throughput": 2560.0,
    "total_token_throughput": 12800.0, **times("tpot", 11.0, 10.5, 14.0), "p99.9_tpot_ms": 14.5,
}  # fmt: skip
SERVE_0_33 = SERVE | {
    "latencies": [1.3 + i / 10_000 for i in range(400)], "queue_times": [0.0] * 400, "rtfx": 0.0,
    **times("client_queue_time", 1.0, 0.5, 4.0), **times("e2el_including_client_queue", 1401.0, 1391.0, 1504.0),
    "probe_completed": 9, "probe_failed": 0, "probe_median_e2el_ms": 700.0, "spec_decode_acceptance_rate": 61.0,
    "spec_decode_per_position_acceptance_rates": [0.8, 0.5],
}  # fmt: skip
POOLING_0_33 = {
    "date": "20261120-093000", "endpoint_type": "openai-embeddings", "backend": "openai-embeddings", "label": None, **MODEL,
    "num_prompts": 400, "request_rate": "inf", "burstiness": 1.0, "max_concurrency": None, "duration": 10.0, "completed": 100,
    "total_input_tokens": 204800, "total_input_sequences": 400, "request_throughput": 10.0, "input_sequence_throughput": 40.0,
    "total_token_throughput": 20480.0, "latencies": [0.2 + i / 1000 for i in range(100)], "queue_times": [0.0] * 100,
    **times("e2el", 250.0, 249.5, 298.0),
}  # fmt: skip

TRTLLM_0_18 = changed(
    changed(changed(TRTLLM, "machine", ...), "performance.system_total_throughput_tok_s", ...), "dataset", ...
)
"""Before April 2025: no GPU, no total rate."""


def metric(unit, avg, **more):
    """A metric as AIPerf and GenAI-Perf write it."""
    return {"unit": unit, "avg": avg, **more}


AIPERF_0_1 = {
    "records": {
        name: {"tag": name, "header": name, **value}
        for name, value in AIPERF.items() if isinstance(value, dict) and "unit" in value
    },
    "input_config": {"endpoint": {"model_names": ["nvidia/Minitron-8B-Base"]}, "loadgen": {"concurrency": 4}},
    "was_cancelled": False, "error_summary": [], "start_time": "2025-09-10T07:44:34", "end_time": "2025-09-10T07:44:36",
}  # fmt: skip

FEW = {"p25": 1.0, "p50": 2.0, "p75": 3.0, "p90": 4.0, "p95": 5.0, "p99": 6.0, "min": 1.0, "max": 7.0, "std": 1.0}
TIMES_MS = {
    "time_to_first_token": metric("ms", 184.6, **FEW | {"p50": 172.8, "p90": 302.8}),
    "inter_token_latency": metric("ms", 2.17, **FEW | {"p50": 2.16, "p90": 2.23}),
    "request_latency": metric("ms", 5767.4, **FEW | {"p50": 5778.6, "p90": 5882.4}),
}
LENGTHS = {"output_sequence_length": metric("tokens", 2565.0), "input_sequence_length": metric("tokens", 550.0)}
OPTIONS = {
    "model": ["nvidia/Minitron-8B-Base"], "formatted_model_name": "nvidia_Minitron-8B-Base", "concurrency": 100,
    "streaming": True, "backend": "tensorrtllm", "service_kind": "triton", "subcommand": "profile", "endpoint": None,
    "profile_export_file": "profile_export.json", "header": ["Authorization: secret-key"],
}  # fmt: skip
GENAI_0_0_3 = {
    "request_throughput": metric("requests/sec", 17.2), "request_latency": metric("ns", 5_767_400_000.0, p50=5_778_600_000.0),
    "time_to_first_token": metric("ns", 184_600_000.0, p50=172_800_000.0),
    "inter_token_latency": metric("ns", 2_170_000.0, p50=2_160_000.0), "output_token_throughput": metric("tokens/sec", 44190.5),
    "num_output_token": metric("tokens", 2565.0), "num_input_token": metric("tokens", 550.0),
    "input_config": {"model": "nvidia/Minitron-8B-Base", "concurrency": 100, "streaming": True, "service_kind": "openai",
                     "backend": "tensorrtllm", "endpoint": "v1/chat/completions"},
}  # fmt: skip
GENAI_0_0_8 = {
    "request_throughput": metric("requests/sec", 17.2), **TIMES_MS, "request_goodput": metric("requests/sec", -1.0),
    "output_token_throughput": metric("requests/sec", 44190.5),
    **{name: {**value, "unit": "requests/sec"} for name, value in LENGTHS.items()}, "input_config": OPTIONS,
}  # fmt: skip
GENAI_0_0_12 = {
    "request_throughput": metric("requests/sec", 17.2), **TIMES_MS, "request_count": metric("count", 75.0),
    "output_token_throughput": metric("tokens/sec", 44190.5),
    "output_token_throughput_per_request": metric("tokens/sec", 445.0), **LENGTHS, "telemetry_stats": {},
    "input_config": OPTIONS,
}  # fmt: skip
GENAI_0_0_16 = GENAI_0_0_12 | {
    "input_config": {
        "model_names": ["nvidia/Minitron-8B-Base"], "subcommand": "profile", "verbose": False,
        "endpoint": {"backend": "vllm", "service_kind": "openai", "streaming": True, "type": "chat", "url": "secret-host:1"},
        "perf_analyzer": {"stimulus": {"request_rate": 5.0}, "measurement": {"mode": "request_count", "num": None}},
    },
}  # fmt: skip
RELEASES = {
    "serve 0.3": SERVE_0_3, "serve 0.4": SERVE_0_4, "serve 0.8": SERVE_0_8, "serve 0.10": SERVE_0_10, "serve 0.33": SERVE_0_33,
    "pooling 0.33": POOLING_0_33, "trtllm 0.18": TRTLLM_0_18, "aiperf 0.1": AIPERF_0_1, "genai-perf 0.0.3": GENAI_0_0_3,
    "genai-perf 0.0.8": GENAI_0_0_8, "genai-perf 0.0.12": GENAI_0_0_12, "genai-perf 0.0.16": GENAI_0_0_16,
}  # fmt: skip
