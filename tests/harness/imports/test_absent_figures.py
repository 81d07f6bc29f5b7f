"""A figure that cannot exist is absent, in words: never a 0 that would be the fastest of every table."""

import pytest
from support.foreign_releases import GENAI_0_0_12, POOLING_0_33, SERVE_0_4, metric, times
from support.foreign_results import AIPERF, LATENCY, SERVE, THROUGHPUT, TRTLLM, changed, detailed
from support.imported import figures, left_out, taken, values, written

ZEROS = {"p50": 0.0, "p90": 0.0, "p95": 0.0, "p99": 0.0, "minimum": 0.0, "average": 0.0}
ONE_TOKEN = SERVE | {"total_output_tokens": 400} | times("tpot", 0.0, 0.0, 0.0) | times("itl", 0.0, 0.0, 0.0)
TRTLLM_ONE = changed(
    changed(changed(TRTLLM, "request_info.avg_output_length", 1.0), "streaming_metrics.tpot_percentiles", ZEROS),
    "streaming_metrics.avg_tpot_ms", 0.0,
)  # fmt: skip
AIPERF_ONE = changed(AIPERF, "output_sequence_length.avg", 1.0)
GENAI_ONE = changed(GENAI_0_0_12, "output_sequence_length.avg", 1.0)
DETAILED_ONE = detailed() | {"total_output_tokens": 400, "output_lens": [1] * 401, "itls": [[]] * 401}


@pytest.mark.parametrize("document", [ONE_TOKEN, TRTLLM_ONE, AIPERF_ONE, GENAI_ONE, DETAILED_ONE])
def test_answers_of_one_token_have_no_time_per_token_and_no_gaps(tmp_path, document):
    record = taken(tmp_path, document)
    assert {metric for metric, _ in figures(record)}.isdisjoint({"tpot", "itl", "tpot_guidellm"})
    assert any(metric == "e2e" or metric == "ttft" for metric, _ in values(record))
    assert any(text.startswith("no TPOT") and "one token" in text for text in left_out(record))


def test_even_a_printed_time_per_token_is_absent_where_no_answer_has_two(tmp_path):
    assert ("tpot", "p50") not in values(taken(tmp_path, SERVE | {"total_output_tokens": 400}))


def test_few_answers_of_two_tokens_state_no_percentile(tmp_path):
    found = figures(taken(tmp_path, SERVE | {"total_output_tokens": 403}))
    assert found["tpot", "p50"].refused  # of 3 requests at most
    assert found["tpot", "mean"].n == 3
    assert found["ttft", "p50"].n == 400


def test_zeros_that_trtllm_counts_for_one_token_spoil_its_tpot(tmp_path):
    record = taken(tmp_path, changed(TRTLLM, "streaming_metrics.tpot_percentiles.minimum", 0.0))
    assert ("tpot", "mean") not in figures(record)
    assert left_out(record) == [
        "no TPOT (vLLM): some answers had one token, and trtllm-bench counts each of them as 0 ms"
    ]


NOT_STREAMED = SERVE | {f"{name}_{metric}_ms": 0.0 for name in ("mean", "median", "p99") for metric in ("ttft", "itl")}


def test_first_token_of_what_was_not_streamed_is_absent(tmp_path):
    record = taken(tmp_path, NOT_STREAMED)
    assert {metric for metric, _ in figures(record)} == {"tpot", "output_rate", "total_rate", "request_rate"}
    assert left_out(record) == [
        "no TTFT: the file has 0 for mean, p50, p99, which no request can take",
        "no ITL: the file has 0 for mean, p50, p99, which no request can take",
    ]


def test_details_of_what_was_not_streamed_give_no_times_of_zero(tmp_path):
    silent = SERVE_0_4 | {"ttfts": [0.0] * 400, "itls": [[]] * 400} | times("ttft", 0.0, 0.0, 0.0)
    found = values(taken(tmp_path, silent))
    assert ("ttft", "p50") not in found
    assert ("e2e", "p50") not in found


def test_requests_without_a_first_token_are_left_out_of_the_samples_in_words(tmp_path):
    some = SERVE_0_4 | {"ttfts": [0.0] * 100 + [0.1] * 300}
    record = taken(tmp_path, some)
    assert figures(record)["ttft", "p50"].n == 300
    assert "not every TTFT: 100 of 400 requests have none" in left_out(record)


def test_genai_perfs_first_token_of_what_was_not_streamed_is_the_latency_and_not_taken(tmp_path):
    record = taken(tmp_path, changed(GENAI_0_0_12, "input_config.streaming", False))
    assert {metric for metric, _ in figures(record)} == {"e2e", "output_rate", "request_rate"}
    assert left_out(record)[0] == "no TTFT: the answers were not streamed"


def test_a_single_zero_among_percentiles_is_left_out_alone(tmp_path):
    record = taken(tmp_path, SERVE | {"median_itl_ms": 0.0})
    assert ("itl", "p50") not in figures(record)
    assert values(record)["itl", "p99"] == pytest.approx(0.021)
    assert left_out(record) == ["not every ITL: the file has 0 for p50, which no request can take"]


def test_metric_of_no_samples_is_absent(tmp_path):
    record = taken(tmp_path, changed(AIPERF, "inter_chunk_latency.count", 0))
    assert ("itl", "p50") not in figures(record)
    assert left_out(record) == ["no ITL: the file says that it has no samples"]


@pytest.mark.parametrize("document", [SERVE | {"mean_ttft_ms": None}, changed(AIPERF, "time_to_first_token.avg", None)])
def test_null_is_absent(tmp_path, document):
    found = figures(taken(tmp_path, document))
    assert ("ttft", "mean") not in found
    assert ("ttft", "p50") in found


def test_rate_of_zero_is_absent_and_a_goodput_of_zero_is_none_that_kept_its_objectives(tmp_path):
    record = taken(tmp_path, SERVE | {"output_throughput": 0.0, "request_goodput": 0.0})
    assert ("output_rate", "mean") not in figures(record)
    assert values(record)["goodput", "mean"] == 0.0


BROKEN = [
    THROUGHPUT | {"requests_per_second": 0, "tokens_per_second": 0},
    LATENCY | {"latencies": [1.0, 0.0]},
    SERVE | {"request_rate": "4.0"},
    SERVE | {"num_prompts": "400"},
    SERVE | {"duration": None},
    POOLING_0_33 | {"completed": 0},
    changed(AIPERF, "request_count.avg", 24.5),
    changed(GENAI_0_0_12, "time_to_first_token.unit", "tokens/sec"),
    changed(GENAI_0_0_12, "request_latency.avg", "5767"),
    GENAI_0_0_12 | {"output_token_throughput": metric("tokens/sec", -3.0)},
]


@pytest.mark.parametrize("document", BROKEN)
def test_what_is_no_measurement_is_refused_in_words(tmp_path, minizoo, document):
    ran = minizoo("import", written(tmp_path, "bad", document), "--model", "m", "--results", tmp_path / "results")
    assert ran.code == 2
    assert "bad.json" in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "results").exists()
