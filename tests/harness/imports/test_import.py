"""Results of other tools: read in their own forms, in minizoo's units, marked as imported."""

import json
from datetime import UTC, datetime

import pytest
from support.foreign_results import AIPERF, EVERY, LATENCY, SERVE, THROUGHPUT, TRTLLM, changed, detailed
from support.imported import figures, taken, written

from harness.imports.importing import import_files
from harness.records.files import read_record, run_folder
from harness.store.check import check
from harness.store.query import query


def test_vllm_serve_is_read_in_seconds_and_filed_under_the_registrys_name(tmp_path):
    record = taken(tmp_path, SERVE)
    assert (record.subject.id, record.subject.source) == ("minitron-4b", "nvidia/Minitron-4B-Base")
    assert record.task == "vllm-bench-serve.512x128.c32"
    assert (record.speed.input_tokens, record.speed.output_tokens, record.speed.room) == (512, 128, 32)
    found = figures(record)
    assert found["ttft", "p50"].value == pytest.approx(0.055)
    assert found["ttft", "mean"].value == pytest.approx(0.060)
    assert found["ttft", "p99"].value == pytest.approx(0.091)  # 400 requests can state it
    assert found["tpot", "p50"].value == pytest.approx(0.0105)
    assert found["itl", "p50"].value == pytest.approx(0.0106)
    assert found["output_rate", "mean"].value == 2560.0
    assert found["request_rate", "mean"].value == 20.0
    assert found["total_rate", "mean"].value == 12800.0
    assert record.finished_at == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert record.imported.time == "stated"
    assert record.imported.rest["std_ttft_ms"] == 9.0


def test_detailed_vllm_results_have_intervals_from_the_requests(tmp_path):
    found = figures(taken(tmp_path, detailed()))
    assert found["ttft", "p50"].n == 400
    assert found["ttft", "p50"].value == pytest.approx(0.05 + 199 / 10_000)
    assert found["ttft", "p50"].lower < found["ttft", "p50"].value < found["ttft", "p50"].upper
    assert found["tpot", "p50"].value == pytest.approx(0.01)
    assert found["e2e", "p50"].value == pytest.approx(0.05 + 199 / 10_000 + 1.27)
    assert found["itl", "p50"].lower is None  # gaps of one batch's requests are not independent


def test_open_loop_and_unlimited_results_are_named_so(tmp_path):
    assert taken(tmp_path, SERVE | {"request_rate": 4, "max_concurrency": None}).task.endswith("512x128.r4")
    assert taken(tmp_path, SERVE | {"max_concurrency": None}).task.endswith("512x128.all")


def test_vllm_latency_needs_the_users_word_for_model_batch_and_lengths(tmp_path):
    record = taken(
        tmp_path, LATENCY, model="nano-teacher", batch=8, input_tokens=32, output_tokens=128, gpu="NVIDIA L4"
    )
    assert record.task == "vllm-bench-latency.32x128.b8"
    assert (record.subject.id, record.setting.gpu) == ("nano-teacher", "NVIDIA L4")
    found = figures(record)
    assert found["e2e", "p50"].value == pytest.approx(1.014)
    assert found["output_rate", "p50"].value == pytest.approx(8 * 128 / 1.015)
    assert found["e2e", "p99"].refused  # vLLM prints a p99 of 30 iterations


def test_vllm_throughput_gives_rates(tmp_path):
    found = figures(taken(tmp_path, THROUGHPUT, model="minitron-8b"))
    assert found["request_rate", "mean"].value == 80.0
    assert found["total_rate", "mean"].value == 20480.0


def test_trtllm_report_is_read_with_its_engine_and_gpu(tmp_path):
    record = taken(tmp_path, TRTLLM)
    assert (record.subject.id, record.setting.backend, record.setting.dtype) == ("minitron-8b", "trtllm", "bfloat16")
    assert record.setting.gpu == "NVIDIA H100 80GB HBM3"
    assert record.setting.versions == {"tensorrt-llm": "1.2.1"}
    assert record.task == "trtllm-bench.128x128.c63"
    found = figures(record)
    assert found["ttft", "p99"].value == pytest.approx(0.070)
    assert found["tpot", "p50"].value == pytest.approx(0.0075)
    assert found["e2e", "mean"].value == pytest.approx(1.010)
    assert found["output_rate", "mean"].value == 8000.0
    assert record.imported.time == "file"  # the report names no time


def test_trtllm_report_without_streaming_or_gpu_is_read_too(tmp_path):
    found = figures(taken(tmp_path, changed(changed(TRTLLM, "streaming_metrics", ...), "machine", None)))
    assert ("ttft", "p50") not in found
    assert found["e2e", "p50"].value == pytest.approx(1.0)


def test_aiperf_result_is_read_with_its_definitions(tmp_path):
    record = taken(tmp_path, AIPERF)
    assert (record.subject.id, record.task) == ("minitron-4b", "aiperf.64x16.c2")
    assert record.imported.tool_version == "0.13.0"
    found = figures(record)
    assert found["tpot", "p50"].value == pytest.approx(0.004800456866666667)  # AIPerf calls it inter-token latency
    assert found["itl", "p50"].value == pytest.approx(0.0051536205)
    assert found["itl", "p50"].n == 24  # 360 gaps of 24 requests
    assert found["ttft", "p99"].value is None
    assert "needs 299" in found["ttft", "p99"].refused
    assert found["output_rate", "mean"].value == pytest.approx(246.19269015242992)
    assert record.finished_at == datetime(2026, 11, 21, 7, 44, 36, 124851, tzinfo=UTC)


def test_aiperf_results_before_0_9_name_model_and_load_elsewhere(tmp_path):
    older = {"endpoint": {"model_names": ["nvidia/Minitron-8B-Base"]}, "loadgen": {"concurrency": 4}}
    record = taken(tmp_path, AIPERF | {"input_config": older})
    assert (record.subject.id, record.task) == ("minitron-8b", "aiperf.64x16.c4")


def test_gpus_that_aiperf_watched_are_named(tmp_path):
    gpu = {"gpu_index": 0, "gpu_name": "NVIDIA H200", "gpu_uuid": "GPU-1", "hostname": "a", "metrics": {}}
    record = taken(tmp_path, changed(AIPERF, "telemetry_data.endpoints", {"dcgm": {"gpus": {"gpu_0": gpu}}}))
    assert record.setting.gpu == "NVIDIA H200"


def test_secrets_of_a_configuration_are_not_taken_over(tmp_path):
    assert "secret-key" not in taken(tmp_path, AIPERF).model_dump_json()


@pytest.mark.parametrize("name", EVERY)
def test_imported_speed_is_marked_and_never_valid(tmp_path, name):
    record = taken(tmp_path, EVERY[name], model="minitron-4b")
    assert record.source == "imported"
    assert not record.speed.validity.valid
    assert record.speed.validity.reasons[0].code == "not-watched"
    assert record.speed.weights == "unknown"
    rows = query(tmp_path / "results", "SELECT DISTINCT source, valid, model FROM speed")
    assert rows == [{"source": "imported", "valid": False, "model": "minitron-4b"}]
    assert check(tmp_path / "results").problems == ()


def test_failed_and_unfinished_runs_say_so(tmp_path):
    failed = taken(tmp_path, SERVE | {"failed": 3}).speed.validity.reasons[-1]
    assert (failed.code, failed.text) == ("requests-failed", "3 of 403 requests failed")
    stalled = AIPERF | {"is_complete": False, "incomplete_reason": "stalled", "was_cancelled": True}
    reasons = taken(
        tmp_path, stalled | {"error_request_count": {"unit": "requests", "avg": 1.0}}
    ).speed.validity.reasons
    assert [reason.code for reason in reasons[1:]] == ["requests-failed", "run-incomplete", "run-incomplete"]
    assert {"the run is not complete (stalled)", "the run was cancelled"} <= {reason.text for reason in reasons}


def test_record_on_disk_is_the_record_that_was_returned(tmp_path):
    record = taken(tmp_path, TRTLLM)
    assert read_record(run_folder(tmp_path / "results", record.run_id) / record.task / "record.json") == record


def test_appended_results_become_a_record_each(tmp_path):
    path = written(tmp_path, "appended", json.dumps(SERVE) + "\n" + json.dumps(SERVE | {"max_concurrency": 64}) + "\n"
                   + json.dumps(SERVE | {"date": "20261120-100000"}))  # fmt: skip
    (one,) = import_files([path], tmp_path / "results")
    tasks = [record.task.removeprefix("vllm-bench-serve.512x128.") for record in one.records]
    assert tasks == ["c32", "c64", "c32.2"]
    assert len({record.run_id for record in one.records}) == 1


def test_file_is_not_imported_twice(tmp_path, minizoo):
    path = written(tmp_path, "result", SERVE)
    first = minizoo("import", path, "--results", tmp_path / "results")
    assert first.code == 0, first.err
    assert "minitron-4b" in first.out
    again = minizoo("import", path, "--results", tmp_path / "results")
    assert (again.code, again.out) == (0, "")
    assert "imported before" in again.err
    assert len(query(tmp_path / "results", "SELECT * FROM records")) == 1


def test_users_words_win_over_the_files(tmp_path):
    record = taken(tmp_path, SERVE, model="mistral-nemo-minitron-8b", dtype="float8", input_tokens=500)
    assert (record.subject.id, record.setting.dtype) == ("mistral-nemo-minitron-8b", "float8")
    assert record.subject.source == "mistral-nemo-minitron-8b"
    assert record.task == "vllm-bench-serve.500x128.c32"


def test_json_output_holds_the_records(tmp_path, minizoo):
    ran = minizoo("import", written(tmp_path, "r", TRTLLM), "--results", tmp_path / "results", "--json")
    (file,) = ran.json()["files"]
    assert file["records"][0]["imported"]["tool"] == "trtllm-bench"
