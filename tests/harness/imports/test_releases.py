"""Every release's keys are read with the right meaning and unit, or kept under their name."""

import json

import pytest
from support.foreign_releases import (
    AIPERF_0_1,
    GENAI_0_0_3,
    GENAI_0_0_8,
    GENAI_0_0_12,
    GENAI_0_0_16,
    POOLING_0_33,
    RELEASES,
    SERVE_0_3,
    SERVE_0_4,
    SERVE_0_8,
    SERVE_0_10,
    SERVE_0_33,
    TRTLLM_0_18,
)
from support.foreign_results import LATENCY, SERVE, THROUGHPUT, changed
from support.imported import figures, left_out, reasons, taken, values, written

from harness.imports.importing import import_files


@pytest.mark.parametrize("name", RELEASES)
def test_no_figure_of_any_release_is_zero_and_none_stays_unsaid(tmp_path, name):
    record = taken(tmp_path, RELEASES[name])
    assert record.subject.id in {"minitron-4b", "minitron-8b"}
    assert all(value > 0 for value in values(record).values())
    assert record.imported.rest
    assert "secret" not in record.model_dump_json()


def test_tpot_of_vllm_0_3_has_the_first_token_in_it(tmp_path):
    record = taken(tmp_path, SERVE_0_3)
    found = values(record)
    assert found["tpot_guidellm", "p50"] == pytest.approx(0.0115)  # latency / output tokens there
    assert ("tpot", "p50") not in found
    assert found["request_rate", "mean"] == 20.0  # written as request_inthroughput
    assert found["total_rate", "mean"] == 12800.0  # input and output rate together
    assert record.setting.backend == "vllm"


def test_requests_of_vllm_0_4_are_always_in_the_file(tmp_path):
    found = figures(taken(tmp_path, SERVE_0_4))
    assert found["ttft", "p50"].lower < found["ttft", "p50"].value < found["ttft", "p50"].upper
    assert found["tpot", "p50"].value == pytest.approx(0.01)
    assert found["e2e", "p50"].value == pytest.approx(0.05 + 199 / 10_000 + 1.27)
    assert found["itl", "p50"].value == pytest.approx(0.0106)


def test_goodput_of_vllm_0_6_to_0_8_has_a_colon_in_its_key(tmp_path):
    record = taken(tmp_path, SERVE_0_8)
    found = values(record)
    assert found["goodput", "mean"] == 18.5
    assert found["e2e", "p99"] == pytest.approx(1.5)
    assert record.task.endswith("512x128.r20")


def test_ramped_load_and_the_endpoint_of_vllm_0_10_are_named(tmp_path):
    record = taken(tmp_path, SERVE_0_10)
    assert record.task == "vllm-bench-serve.512x128.ramp2to40"
    assert record.setting.backend == "openai-chat"
    assert record.speed.rate is None
    assert values(record)["tpot", "p99"] == pytest.approx(0.014)
    assert figures(record)["tpot", "p99.9"].refused  # 400 requests do not state it


def test_newest_vllm_files_have_each_requests_latency_without_details(tmp_path):
    record = taken(tmp_path, SERVE_0_33)
    found = figures(record)
    assert found["e2e", "p50"].value == pytest.approx(1.3 + 199 / 10_000)
    assert found["e2e", "p50"].lower is not None
    assert found["ttft", "p50"].lower is None
    rest = record.imported.rest
    assert rest["p99_e2el_including_client_queue_ms"] == 1504.0
    assert rest["spec_decode_acceptance_rate"] == 61.0
    assert rest["spec_decode_per_position_acceptance_rates"] == [0.8, 0.5]
    assert "queue_times" not in rest
    assert reasons(record) == []


def test_failed_requests_latencies_are_not_mixed_in(tmp_path):
    failed = SERVE_0_33 | {"failed": 1, "num_prompts": 401, "latencies": [*SERVE_0_33["latencies"], 9.0]}
    assert ("e2e", "p50") not in values(taken(tmp_path, failed))


def test_pooling_has_no_tokens_out_and_counts_prompts_of_a_batch(tmp_path):
    record = taken(tmp_path, POOLING_0_33)
    assert record.task == "vllm-bench-serve.2048xany.all"
    assert {metric for metric, _ in values(record)} == {"e2e", "request_rate", "total_rate"}
    assert values(record)["e2e", "p50"] == pytest.approx(0.249)
    assert figures(record)["e2e", "p99"].refused
    assert reasons(record) == []  # 400 prompts in 100 requests
    lost = reasons(taken(tmp_path, changed(POOLING_0_33, "num_prompts", 420) | {"latencies": []}))
    assert lost == [("requests-failed", "20 of 420 requests were lost: 400 completed, and the file counts no failures")]


@pytest.mark.parametrize("document", [THROUGHPUT, LATENCY])
def test_model_that_newest_vllm_files_name_is_taken(tmp_path, document):
    assert taken(tmp_path, document | {"model_id": "nvidia/Minitron-8B-Base"}).subject.id == "minitron-8b"


def test_sweeps_list_of_results_becomes_a_record_each(tmp_path):
    path = written(tmp_path, "summary", json.dumps([SERVE | {"run_number": 0}, SERVE | {"max_concurrency": 64}]))
    (one,) = import_files([path], tmp_path / "results")
    assert [record.task.rpartition(".")[2] for record in one.records] == ["c32", "c64"]


def test_trtllm_reports_before_the_total_rate_are_read(tmp_path):
    record = taken(tmp_path, TRTLLM_0_18)
    assert record.setting.gpu is None
    assert ("total_rate", "mean") not in values(record)
    assert values(record)["tpot", "p99"] == pytest.approx(0.009)


def test_first_aiperf_had_its_metrics_under_records(tmp_path):
    record = taken(tmp_path, AIPERF_0_1)
    assert (record.subject.id, record.task) == ("minitron-8b", "aiperf.64x16.c4")
    assert record.imported.tool_version is None
    found = values(record)
    assert found["tpot", "p50"] == pytest.approx(0.004800456866666667)
    assert found["output_rate", "mean"] == pytest.approx(246.19269015242992)


def test_genai_perf_is_taken_under_its_own_name_with_its_load_and_model(tmp_path):
    record = taken(tmp_path, GENAI_0_0_12)
    assert (record.subject.id, record.imported.tool) == ("minitron-8b", "genai-perf")
    assert record.task == "genai-perf.550x2565.c100"
    assert (record.speed.room, record.setting.backend) == (100, "tensorrtllm")
    found = values(record)
    assert found["ttft", "p50"] == pytest.approx(0.1728)
    assert found["tpot", "p90"] == pytest.approx(0.00223)
    assert found["e2e", "mean"] == pytest.approx(5.7674)
    assert found["output_rate", "mean"] == 44190.5
    assert found["request_rate", "mean"] == 17.2
    assert figures(record)["ttft", "p99"].refused  # of 75 requests
    assert figures(record)["ttft", "p50"].n == 75


def test_newer_genai_perf_names_model_and_load_in_sections(tmp_path):
    record = taken(tmp_path, GENAI_0_0_16)
    assert (record.subject.id, record.task) == ("minitron-8b", "genai-perf.550x2565.r5")
    assert record.speed.rate == 5.0
    assert record.setting.backend == "unknown"  # the option's default says nothing of an OpenAI endpoint
    assert record.imported.rest["input_config.stimulus.request_rate"] == 5.0


def test_genai_perf_sessions_are_no_concurrency_of_requests(tmp_path):
    sessions = changed(GENAI_0_0_16, "input_config.perf_analyzer.stimulus", {"session_concurrency": 8})
    assert taken(tmp_path, sessions).task.endswith("550x2565.s8")


def test_first_genai_perf_wrote_nanoseconds_and_pooled_gaps(tmp_path):
    record = taken(tmp_path, GENAI_0_0_3)
    found = values(record)
    assert found["ttft", "mean"] == pytest.approx(0.1846)
    assert found["e2e", "mean"] == pytest.approx(5.7674)
    assert found["itl", "mean"] == pytest.approx(0.00217)
    assert ("tpot", "mean") not in found
    assert "does not say of how many requests" in figures(record)["ttft", "p50"].refused
    assert record.task == "genai-perf.550x2565.c100"


def test_wrong_units_of_genai_perf_0_0_8_are_known_by_the_metrics_name(tmp_path):
    record = taken(tmp_path, GENAI_0_0_8)
    assert record.task == "genai-perf.550x2565.c100"
    assert values(record)["output_rate", "mean"] == 44190.5
    assert left_out(record) == ["no goodput: GenAI-Perf wrote −1, for an objective that it does not know"]


def test_several_models_of_genai_perf_are_refused_until_one_is_named(tmp_path, minizoo):
    two = changed(GENAI_0_0_12, "input_config.model", ["a", "b"])
    ran = minizoo("import", written(tmp_path, "r", two), "--results", tmp_path / "results")
    assert ran.code == 2
    assert "does not name one model" in ran.err
