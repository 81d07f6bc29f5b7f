"""A file of a tool that is not taken is refused by the tool's name; a broken one of a tool that is, by what is missing."""

import json

import pytest
from support.foreign_releases import GENAI_0_0_12, RELEASES, metric
from support.foreign_results import AIPERF, EVERY, SERVE, TRTLLM
from support.imported import written

from harness.imports.other_tools import TELLS, tell_of

SGLANG = {
    "backend": "sglang", "dataset_name": "random", "request_rate": "trace", "max_concurrency": 16, "sharegpt_output_len": None,
    "random_input_len": 1024, "random_output_len": 128, "random_range_ratio": 0.0, "duration": 20.0, "completed": 400,
    "total_input_tokens": 204800, "total_output_tokens": 51200, "total_output_tokens_retokenized": 51190,
    "request_throughput": 20.0, "input_throughput": 10240.0, "output_throughput": 2560.0, "mean_e2e_latency_ms": 1400.0,
    "median_e2e_latency_ms": 1390.0, "mean_ttft_ms": 60.0, "median_ttft_ms": 55.0, "p99_ttft_ms": 91.0, "mean_tpot_ms": 11.0,
    "median_tpot_ms": 10.5, "concurrency": 27.9, "accept_length": None,
}  # fmt: skip
OTHERS = {
    "SGLang's bench_serving": json.dumps(SGLANG) + "\n" + json.dumps(SGLANG),
    "SGLang's bench_one_batch": {"run_name": "default", "batch_size": 1, "latency": 1.0, "overall_throughput": 100.0},
    "TensorRT-LLM's benchmark_serving": SERVE | {"user_throughput": 90.0},
    "trtllm-bench (--request_json)": [{"id": 0, "num_input_tokens": 9, "time_to_first_token": 9, "end_to_end_latency": 99}],
    "InferenceMAX": {"hw": "h200", "tp": 8, "conc": 64, "model": "m", "tput_per_gpu": 900.0, "median_ttft": 0.1},
    "LLMPerf": {"model": "m", "results_ttft_s_mean": 0.1, "results_num_requests_started": 10, "results_error_rate": 0.0},
    "GuideLLM": {"metadata": {"version": 1, "guidellm_version": "0.5.0"}, "args": {}, "benchmarks": []},
    "inference-perf": {"load_summary": {"count": 9}, "successes": {"count": 9}, "failures": {"count": 0}},
    "Hugging Face's inference-benchmarker": {"config": {}, "results": [{"id": "a", "token_throughput_secs": 9.0}]},
    "Optimum-Benchmark": {"config": {}, "report": {"decode": {"latency": {}}}},
    "DeepSpeed-MII": {"args": {}, "response_details": []},
    "EvalScope": {"Number of concurrency": 1, "Total requests": 9, "Average latency (s)": 1.0},
    "llama.cpp's llama-bench": [{"build_commit": "a", "n_prompt": 512, "n_gen": 0, "avg_ns": 9, "avg_ts": 100.0}],
    "Ollama": {"model": "m", "eval_count": 9, "eval_duration": 99, "prompt_eval_duration": 9},
    "MLPerf": ':::MLLOG {"key": "loadgen_version", "value": "5.0"}',
    "Perf Analyzer": {"service_kind": "openai", "endpoint": "v1/chat/completions", "experiments": []},
    "AIPerf's sweeps": {"schema_version": "1.0", "metadata": {"aggregation_type": "confidence"}, "metrics": {}},
    "AIPerf's time slices": {"timeslices": [], "input_config": {}},
    "vLLM's copy for PyTorch": [{"benchmark": {"name": "vLLM benchmark"}, "model": {}, "metric": {"benchmark_values": [1.0]}}],
    "LightEval": {"config_general": {}, "results": {}, "versions": {}, "config_tasks": {}},
    "Locust": [{"name": "/", "method": "POST", "num_requests": 9, "num_failures": 0, "response_times": {}}],
    "k6": {"root_group": {}, "metrics": {}},
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_tools_file_is_refused_by_the_tools_name(tmp_path, minizoo, name):
    ran = minizoo("import", written(tmp_path, "other", OTHERS[name]), "--model", "m", "--results", tmp_path / "results")
    assert ran.code == 2
    assert f"other.json is a result of {name}" in ran.err
    assert "not import" in ran.err
    assert not (tmp_path / "results").exists()


def test_refusal_of_another_tool_has_its_own_code(tmp_path, minizoo):
    ran = minizoo("import", written(tmp_path, "other", SGLANG), "--results", tmp_path / "results", "--json")
    assert ran.code == 2
    assert "unknown-tool" in ran.out + ran.err


def test_no_file_that_is_taken_looks_like_another_tools():
    assert [name for name, document in (EVERY | RELEASES).items() if tell_of(document)] == []
    assert len({tell.paths for tell in TELLS}) == len(TELLS)


PARTS = [
    (
        {"request_throughput": 20.0, "completed": 400, "mean_ttft_ms": 9.0},
        "looks like vllm bench serve, but has no duration",
    ),
    ({"num_requests": 9, "requests_per_second": 1.0}, "looks like vllm bench throughput, but has no elapsed_time"),
    ({"avg_latency": 1.0, "percentiles": {}}, "looks like vllm bench latency, but has no latencies"),
    ({"engine": {}, "performance": {}}, "looks like trtllm-bench --report_json, but has no request_info"),
    ({"request_throughput": metric("requests/sec", 1.0), "time_to_first_token": {}}, "has no request_latency"),
    ({"results": {}, "versions": {}}, "looks like lm-eval results_….json, but has no configs"),
]


@pytest.mark.parametrize(("document", "words"), PARTS)
def test_part_of_a_result_is_refused_by_what_is_missing(tmp_path, minizoo, document, words):
    ran = minizoo("import", written(tmp_path, "part", document), "--model", "m", "--results", tmp_path / "results")
    assert ran.code == 2
    assert words in ran.err


def test_metrics_that_aiperf_or_genai_perf_may_have_written_are_refused(tmp_path, minizoo):
    bare = {name: GENAI_0_0_12[name] for name in ("request_latency", "request_throughput", "output_token_throughput")}
    ran = minizoo("import", written(tmp_path, "bare", bare), "--model", "m", "--results", tmp_path / "results")
    assert ran.code == 2
    assert "nothing tells which of them wrote it" in ran.err


@pytest.mark.parametrize("dropped", ["aiperf_version", "request_count", "input_config", "was_cancelled"])
def test_aiperf_file_without_one_of_its_marks_is_still_not_genai_perfs(tmp_path, minizoo, dropped):
    document = {key: value for key, value in AIPERF.items() if key != dropped}
    ran = minizoo("import", written(tmp_path, "r", document), "--model", "m", "--results", tmp_path / "results")
    assert "genai" not in (ran.out + ran.err).lower()


def test_model_that_trtllm_writes_as_none_is_no_name(tmp_path, minizoo):
    nameless = TRTLLM | {"engine": {"model": "None", "model_path": "None", "version": "1.0"}}
    ran = minizoo("import", written(tmp_path, "r", nameless), "--results", tmp_path / "results")
    assert ran.code == 2
    assert "does not name one model" in ran.err
