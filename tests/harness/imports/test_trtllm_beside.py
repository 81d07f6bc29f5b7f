"""A report of trtllm-bench beside minizoo's own run of the same workload; where the two are not the same, why not."""

from datetime import UTC, datetime

import pytest
from support.compared import subject
from support.foreign_results import SERVE, TRTLLM, changed
from support.imported import written
from support.records import record

from harness.metrics.speed_metrics import load_metrics
from harness.records.files import new_run_id, write_record
from harness.records.speed_record import SpeedFacts, Statistic, Validity
from reports.speed.trtllm_bench import PAGE, definitions, page

H100 = "NVIDIA H100 80GB HBM3"
MINE = {"output_rate": 7500.0, "ttft": 0.05, "tpot": 0.008, "e2e": 1.1}


def measured(results, batch=64, valid=True, day=28, values=MINE, weights="real", **setting):
    """A run of minizoo's: Minitron-8B, 128 tokens in and out, on the report's GPU; its id."""
    figures = [
        Statistic(metric=name, statistic="p50", value=value, lower=0.9 * value, upper=1.1 * value, n=9)
        for name, value in values.items()
    ]
    facts = SpeedFacts(
        workload="published", point=f"128x128.b{batch}", input_tokens=128, output_tokens=128, batch=batch, weights=weights,
        validity=Validity(valid=valid), statistics=tuple(figures),
    )  # fmt: skip
    when = datetime(2026, 11, day, tzinfo=UTC)
    made = record(
        f"published.{facts.point}", new_run_id(), suite="published", subject=subject("minitron-8b"), counts=None, scores=(),
        speed=facts, started_at=when, finished_at=when,
    )  # fmt: skip
    told = {"backend": "trtllm", "device": "cuda:0", "dtype": "bfloat16", "gpu": H100, **setting}
    made = made.model_copy(update={"setting": made.setting.model_copy(update=told)})
    write_record(results, made)
    return made.run_id


@pytest.fixture
def beside(tmp_path, minizoo):
    """Import the report, changed as said, and give what stands beside it."""

    def imported(*changes):
        document = TRTLLM
        for path, value in changes:
            document = changed(document, path, value)
        ran = minizoo("import", written(tmp_path, "report", document), "--results", tmp_path / "results", "--json")
        assert ran.code == 0, ran.err
        (one,) = ran.json()["beside"]
        return one

    return imported


def test_each_metric_that_both_have_is_a_line_with_its_ratio(tmp_path, beside):
    run = measured(tmp_path / "results")
    found = beside()
    assert (found["model"], found["gpu"], found["absent"]) == ("minitron-8b", H100, "")
    lines = {line["metric"]: line for line in found["lines"]}
    assert set(lines) == set(MINE)
    rate, ttft = lines["output_rate"], lines["ttft"]
    assert (rate["theirs"], rate["ours"], rate["statistic"]) == (8000.0, 7500.0, "mean")
    assert rate["ratio"] == pytest.approx(8000 / 7500)
    assert (ttft["theirs"], ttft["ours"], ttft["statistic"]) == (pytest.approx(0.038), 0.05, "p50")
    assert all(line["lower"] < line["ours"] < line["upper"] for line in lines.values())
    assert {(line["run_id"], line["batch"], line["backend"]) for line in lines.values()} == {(run, 64, "trtllm")}


def test_the_terminal_has_the_table_and_what_each_word_means(tmp_path, minizoo):
    measured(tmp_path / "results", valid=False, weights="random")
    ran = minizoo("import", written(tmp_path, "report", TRTLLM), "--results", tmp_path / "results")
    assert "trtllm-bench beside minizoo" in ran.out
    assert "1.07" in ran.out
    for word in ("NOT VALID", "random weights", *(f"{one.word}: trtllm-bench: " for one in definitions())):
        assert word in ran.out


def test_a_run_that_was_measured_after_the_import_is_found_by_the_same_command(tmp_path, beside, minizoo):
    assert "no such model" in beside()["absent"]
    measured(tmp_path / "results")
    again = minizoo("import", tmp_path / "report.json", "--results", tmp_path / "results")
    assert "imported before" in again.err
    assert "trtllm-bench beside minizoo" in again.out


def test_the_newest_valid_run_of_each_backend_stands_beside_it(tmp_path, beside):
    results = tmp_path / "results"
    measured(results, day=25)
    newest = measured(results, day=26)
    measured(results, day=27, valid=False)
    other = measured(results, day=20, backend="vllm", valid=False)
    runs = {line["backend"]: (line["run_id"], line["valid"]) for line in beside()["lines"]}
    assert runs == {"trtllm": (newest, True), "vllm": (other, False)}


@pytest.mark.parametrize(("mine", "theirs", "why"), [
    ({"batch": 8}, (), "63.2 requests ran at a time, and minizoo measured it at batch 8"),
    ({"dtype": "float16"}, (), "minizoo measured it in float16, not in bfloat16"),
    ({"gpu": "NVIDIA A100-SXM4-80GB"}, (), "no such model on such a GPU"),
    ({}, [("request_info.avg_input_length", 512.0)], "with requests of that length"),
    ({}, [("engine.quantization", "FP8")], "not in FP8"),
    ({}, [("request_info.avg_num_concurrent_requests", ...)], "does not say how many requests ran at a time"),
    ({}, [("machine", None)], "or on which GPU"),
])  # fmt: skip
def test_what_is_not_the_same_workload_is_not_set_beside_it(tmp_path, beside, mine, theirs, why):
    measured(tmp_path / "results", **mine)
    found = beside(*theirs)
    assert found["lines"] == []
    assert why in found["absent"]


def test_a_report_without_streaming_has_no_times_to_first_tokens(tmp_path, beside):
    measured(tmp_path / "results")
    assert {line["metric"] for line in beside(("streaming_metrics", ...))["lines"]} == {"output_rate", "e2e"}


def test_other_tools_files_have_nothing_beside_them(tmp_path, minizoo):
    measured(tmp_path / "results")
    ran = minizoo("import", written(tmp_path, "r", SERVE), "--results", tmp_path / "results", "--json")
    assert "beside" not in ran.json()


def test_the_page_has_the_words_as_they_are_and_ours_are_the_formulas_that_are_computed():
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "python -m reports.speed.trtllm_bench"
    with pytest.raises(ValueError, match="no place"):
        page("# Empty\n")
    ours = {one.word: one.ours for one in definitions()}
    for word, metric in (("output rate", "output_rate"), ("TTFT", "ttft"), ("TPOT", "tpot"), ("E2E latency", "e2e")):
        assert load_metrics()[metric].formula in ours[word]
