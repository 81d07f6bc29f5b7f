"""Results in the forms in which other tools write them: field names, units and nesting as in their sources; AIPerf's from a
run of version 0.13.0 against a local server that sends 16 words at 5 ms each."""

from copy import deepcopy

SERVE = {
    "date": "20261120-093000", "endpoint_type": "openai", "backend": "openai", "label": None,
    "model_id": "nvidia/Minitron-4B-Base", "tokenizer_id": "nvidia/Minitron-4B-Base", "num_prompts": 400,
    "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 32, "duration": 20.0, "completed": 400, "failed": 0,
    "total_input_tokens": 204800, "total_output_tokens": 51200, "request_throughput": 20.0, "request_goodput": None,
    "output_throughput": 2560.0, "total_token_throughput": 12800.0, "max_output_tokens_per_s": 2900.0,
    "max_concurrent_requests": 33, "mean_ttft_ms": 60.0, "median_ttft_ms": 55.0, "std_ttft_ms": 9.0, "p99_ttft_ms": 91.0,
    "mean_tpot_ms": 11.0, "median_tpot_ms": 10.5, "std_tpot_ms": 1.0, "p99_tpot_ms": 14.0, "mean_itl_ms": 11.1,
    "median_itl_ms": 10.6, "std_itl_ms": 2.0, "p99_itl_ms": 21.0,
}  # fmt: skip
THROUGHPUT = {
    "elapsed_time": 12.5, "num_requests": 1000, "total_num_tokens": 256000, "requests_per_second": 80.0,
    "tokens_per_second": 20480.0,
}  # fmt: skip
LATENCY = {
    "avg_latency": 1.0145, "latencies": [1.0 + i / 1000 for i in range(30)],
    "percentiles": {"10": 1.0029, "25": 1.00725, "50": 1.0145, "75": 1.02175, "90": 1.0261, "99": 1.02871},
}  # fmt: skip
TRTLLM = {
    "engine": {
        "model": "nvidia/Minitron-8B-Base", "model_path": "None", "engine_dir": "None", "version": "1.2.1",
        "backend": "Pytorch", "dtype": "bfloat16", "kv_cache_dtype": None, "quantization": None,
    },
    "machine": {"name": "NVIDIA H100 80GB HBM3", "memory.total": 79.1, "clocks.mem": 2.619},
    "world_info": {
        "tp_size": 1, "pp_size": 1, "ep_size": 1, "world_size": 1, "max_batch_size": 64, "max_num_tokens": 8192,
        "scheduling_policy": "GUARANTEED_NO_EVICT", "kv_cache_percentage": 0.9, "issue_rate": 1e9,
    },
    "request_info": {
        "num_requests": 500, "avg_num_concurrent_requests": 63.2, "avg_input_length": 128.0, "avg_output_length": 128.0,
    },
    "performance": {
        "total_latency_ms": 8000.0, "avg_request_latency_ms": 1010.0, "request_throughput_req_s": 62.5,
        "system_output_throughput_tok_s": 8000.0, "system_total_throughput_tok_s": 16000.0,
        "output_throughput_per_user_tok_s": 126.7, "output_throughput_per_gpu_tok_s": 8000.0,
        "request_latency_percentiles_ms": {
            "p50": 1000.0, "p90": 1100.0, "p95": 1150.0, "p99": 1200.0, "minimum": 900.0, "maximum": 1300.0, "average": 1010.0,
        },
    },
    "streaming_metrics": {
        "token_output_speed_tok_s": 130.0, "avg_ttft_ms": 40.0, "avg_tpot_ms": 7.6,
        "ttft_percentiles": {"p50": 38.0, "p90": 50.0, "p95": 55.0, "p99": 70.0, "minimum": 30.0, "maximum": 90.0,
                             "average": 40.0},
        "tpot_percentiles": {"p50": 7.5, "p90": 8.0, "p95": 8.2, "p99": 9.0, "minimum": 7.0, "maximum": 9.5, "average": 7.6},
        "gen_tps_percentiles": {"p50": 133.0, "p90": 140.0, "p95": 141.0, "p99": 142.0, "minimum": 105.0, "maximum": 143.0,
                                "average": 131.0},
    },
    "dataset": {"num_requests": 500, "dataset_path": "/data/128_128.txt", "max_isl": 128, "avg_isl": 128, "avg_osl": 128},
}  # fmt: skip
AIPERF = {
    "schema_version": "1.4", "aiperf_version": "0.13.0", "benchmark_id": "a8233f68cf14",
    "request_throughput": {"unit": "requests/sec", "avg": 15.38704313452687},
    "request_latency": {
        "unit": "ms", "avg": 117.69522345833332, "p1": 97.32572972, "p50": 115.5783295, "p90": 142.256809,
        "p95": 143.67247719999997, "p99": 149.34254174999998, "min": 97.295861, "max": 150.99527,
        "std": 16.748615599172282, "count": 24, "sum": 2824.685363,
    },
    "request_count": {"unit": "requests", "avg": 24.0},
    "time_to_first_token": {
        "unit": "ms", "avg": 44.254116958333334, "p50": 44.2131785, "p90": 49.1370449, "p95": 52.25747289999999,
        "p99": 54.872639369999995, "count": 24,
    },
    "inter_token_latency": {
        "unit": "ms", "avg": 4.8960737666666665, "p50": 4.800456866666667, "p90": 6.343284359999999, "p99": 7.369454678,
        "count": 24,
    },
    "output_token_throughput": {"unit": "tokens/sec", "avg": 246.19269015242992},
    "output_token_throughput_per_user": {"unit": "tokens/sec/user", "avg": 214.86569932892402, "count": 24},
    "output_sequence_length": {"unit": "tokens", "avg": 16.0, "count": 24, "sum": 384.0},
    "input_sequence_length": {"unit": "tokens", "avg": 64.0, "count": 24, "sum": 1536.0},
    "inter_chunk_latency": {
        "unit": "ms", "avg": 4.8960737666666665, "p50": 5.1536205, "p90": 8.231970600000002, "p99": 13.294629960000005,
        "count": 360,
    },
    "benchmark_duration": {"unit": "sec", "avg": 1.549557504},
    "telemetry_data": {
        "summary": {
            "endpoints_configured": [], "endpoints_successful": [], "start_time": "2026-11-21T07:44:34.565097",
            "end_time": "2026-11-21T07:44:36.790851",
        },
        "endpoints": {}, "error_summary": [],
    },
    "input_config": {
        "models": {"items": [{"name": "nvidia/Minitron-4B-Base"}]},
        "endpoint": {"urls": ["http://127.0.0.1:8123"], "type": "completions", "streaming": True, "api_key": "secret-key"},
        "phases": [{"name": "profiling", "kind": "profiling", "type": "concurrency", "requests": 24, "concurrency": 2}],
    },
    "was_cancelled": False, "is_complete": True, "error_summary": [], "start_time": "2026-11-21T07:44:34.565097",
    "end_time": "2026-11-21T07:44:36.124851",
    "total_token_throughput": {"unit": "tokens/sec", "avg": 1230.9634507621496},
}  # fmt: skip
EVERY = {"serve": SERVE, "throughput": THROUGHPUT, "latency": LATENCY, "trtllm": TRTLLM, "aiperf": AIPERF}


def changed(document, path, value):
    """The document with another value at a dotted path; `...` takes the key away."""
    copy = deepcopy(document)
    *above, last = path.split(".")
    part = copy
    for key in above:
        part = part[key]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return copy


def detailed():
    """SERVE with the requests themselves: 400 of them, TTFT 50 to 89.9 ms, 127 gaps of 10 ms; and one that failed."""
    good = 400
    return SERVE | {
        "failed": 1,
        "input_lens": [512] * (good + 1), "output_lens": [128] * good + [0],
        "ttfts": [0.05 + i / 10_000 for i in range(good)] + [0.0],
        "itls": [[0.01] * 127 for _ in range(good)] + [[]],
        "generated_texts": ["word"] * good + [""], "errors": [""] * good + ["Bad Gateway"],
    }  # fmt: skip
