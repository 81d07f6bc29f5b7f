"""Requests that were lost speak against a run, whichever way its tool tells of them; so do counts that cannot all be right."""

import pytest
from support.foreign_releases import AIPERF_0_1, GENAI_0_0_12, SERVE_0_4, SERVE_0_8, metric
from support.foreign_results import AIPERF, SERVE, TRTLLM, changed, detailed
from support.imported import reasons, taken, written

LOST = [
    (SERVE_0_8 | {"num_prompts": 1000, "completed": 412}, "588 of 1000 requests were lost: 412 completed"),
    (SERVE | {"num_prompts": 403, "failed": 3}, "3 of 403 requests failed"),
    (SERVE_0_4 | {"completed": 390, "num_prompts": 400}, "10 of 400 requests were lost: 390 completed"),
    (SERVE_0_4 | {"errors": ["Bad Gateway"] + [""] * 399}, "1 of 400 requests failed"),
    (changed(TRTLLM, "dataset.num_requests", 512), "12 of 512 requests were lost: 500 completed"),
    (AIPERF | {"error_request_count": metric("requests", 2.0)}, "2 of 26 requests failed"),
    (AIPERF | {"error_summary": [{"error_details": {"code": 502}, "count": 3}]}, "3 of 27 requests failed"),
    (changed(AIPERF, "input_config.phases", [{"kind": "profiling", "concurrency": 2, "requests": 30}]),
     "6 of 30 requests were lost: 24 completed, 0 failed"),
    (changed(AIPERF_0_1, "records.error_request_count", metric("requests", 1.0)), "1 of 25 requests failed"),
    (GENAI_0_0_12 | {"error_request_count": metric("count", 5.0)}, "5 of 80 requests failed"),
    (changed(GENAI_0_0_12, "input_config.request_count", 100), "25 of 100 requests were lost: 75 completed"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "words"), LOST)
def test_lost_requests_are_a_reason(tmp_path, document, words):
    (found,) = reasons(taken(tmp_path, document))
    assert found[0] == "requests-failed"
    assert found[1].startswith(words)


INCONSISTENT = [
    (SERVE_0_8 | {"num_prompts": 300}, "num_prompts is 300, but 400 completed"),
    (SERVE | {"num_prompts": 500, "failed": 0}, "num_prompts is 500, but 400 completed and 0 failed"),
    (detailed() | {"num_prompts": 401, "errors": ["x"] * 401}, "401 requests have an error, but failed is 1"),
    (detailed() | {"num_prompts": 401, "errors": []} | {"input_lens": [512] * 9},
     "the file's lists are of unlike numbers of requests (input_lens 9, output_lens 401, ttfts 401, itls 401)"),
    (changed(TRTLLM, "dataset.num_requests", 100), "the data set has 100 requests, but 500 are counted"),
    (AIPERF | {"error_request_count": metric("requests", 0.0), "error_summary": [{"count": 3}]},
     "error_summary lists 3 errors, but error_request_count is 0"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "words"), INCONSISTENT)
def test_counts_that_contradict_one_another_are_a_reason(tmp_path, document, words):
    assert ("counts-inconsistent", words) in reasons(taken(tmp_path, document))


def test_aiperf_run_that_was_bounded_by_time_lost_nothing(tmp_path):
    phase = {"kind": "profiling", "concurrency": 2, "requests": 30, "duration": 1.5}
    assert reasons(taken(tmp_path, changed(AIPERF, "input_config.phases", [phase]))) == []


@pytest.mark.parametrize("count", [0.0, None])
def test_aiperf_file_without_one_completed_request_is_refused(tmp_path, minizoo, count):
    path = written(tmp_path, "r", changed(AIPERF, "request_count.avg", count))
    ran = minizoo("import", path, "--results", tmp_path / "results")
    assert ran.code == 2
    assert "not one request was completed" in ran.err
