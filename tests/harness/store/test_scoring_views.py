"""Scoring beside another engine in the database: a row a task, what a suite comes to, and no scores of it anywhere."""

from datetime import UTC, datetime, timedelta

from support.contributed import GIVEN, SOMEBODY, beside, scoring_record, setting, subject
from support.records import record

from harness.records.files import write_record
from harness.store.query import query

COLUMNS = (
    "run_id finished_at model backend device gpu dtype weights task shots documents of requests seconds reference "
    "reference_seconds ratio peak_bytes reference_peak_bytes flips largest checked_documents flips_from_fp32 "
    "reference_flips_from_fp32 largest_from_fp32 reference_largest_from_fp32 conforms tokenizer note source contributed_by"
)
MOMENT = datetime(2026, 11, 30, tzinfo=UTC)


def write(results, task="scoring.hellaswag", facts=None, **changes):
    made = scoring_record(task, facts, **changes)
    write_record(results, made)
    return made


def suites(results):
    return query(results, "SELECT * FROM scoring_suites ORDER BY seconds")


def test_a_scoring_is_a_row_with_its_ratio_and_both_engines_agreements(tmp_path):
    made = write(tmp_path, facts=beside(peak_bytes=7, reference_peak_bytes=9, note="the time was up"), **GIVEN)
    (row,) = query(tmp_path, "SELECT * FROM scoring")
    assert list(row) == COLUMNS.split()
    assert {name: row[name] for name in COLUMNS.split()[9:]} == {
        "shots": 0, "documents": 5, "of": 20, "requests": 20, "seconds": 1.0, "reference": "lm-eval HFLM, batch 1",
        "reference_seconds": 4.0, "ratio": 4.0, "peak_bytes": 7, "reference_peak_bytes": 9, "flips": 1, "largest": 0.01,
        "checked_documents": 4, "flips_from_fp32": 0, "reference_flips_from_fp32": 1, "largest_from_fp32": 0.02,
        "reference_largest_from_fp32": 0.03, "conforms": True, "tokenizer": "the model's own", "note": "the time was up",
        "source": "contributed", "contributed_by": "Ada",
    }  # fmt: skip
    assert (row["run_id"], row["task"], row["model"]) == (made.run_id, "scoring.hellaswag", "llama-3.1-8b")


def test_what_was_not_checked_is_null(tmp_path):
    write(tmp_path, facts=beside(checked_documents=0, from_fp32=None, reference_from_fp32=None, conforms=None))
    (row,) = query(tmp_path, "SELECT flips_from_fp32, reference_largest_from_fp32, conforms FROM scoring")
    assert set(row.values()) == {None}


def test_a_suite_adds_up_what_each_whole_task_would_take(tmp_path):
    """5 of 20 documents in 1 s beside 4 s, 10 of 10 in 2 s beside 3 s: 4 + 2 s beside 16 + 3 s."""
    write(tmp_path)
    write(tmp_path, "scoring.piqa", beside(documents=10, of=10, seconds=2.0, reference_seconds=3.0))
    (suite,) = suites(tmp_path)
    found = (suite["tasks"], suite["seconds"], suite["reference_seconds"], suite["ratio"], suite["extrapolated"])
    assert found == (2, 6.0, 19.0, 19 / 6, True)
    assert (suite["model"], suite["source"], suite["contributed_by"]) == ("llama-3.1-8b", "measured", None)


def test_a_suite_of_whole_tasks_is_not_extrapolated(tmp_path):
    write(tmp_path, facts=beside(documents=20))
    assert [suite["extrapolated"] for suite in suites(tmp_path)] == [False]


def test_of_a_task_that_was_scored_again_the_newest_counts(tmp_path):
    for hours, seconds in ((0, 1.0), (2, 3.0), (1, 2.0)):
        write(tmp_path, facts=beside(of=5, seconds=seconds), finished_at=MOMENT + timedelta(hours=hours))
    assert [(suite["tasks"], suite["seconds"]) for suite in suites(tmp_path)] == [(1, 3.0)]


def test_what_is_not_one_machine_model_or_person_is_not_added_up(tmp_path):
    bob = {**GIVEN, "contribution": SOMEBODY.model_copy(update={"by": "Bob"})}
    different = [
        {}, GIVEN, bob, {"subject": subject("minitron-4b")}, {"setting": setting(gpu="NVIDIA L4")},
        {"setting": setting(dtype="float16")}, {"setting": setting(device="cpu", gpu=None, processor="EPYC, 2 threads")},
        {"setting": setting(device="cpu", gpu=None, processor="EPYC, 4 threads")}, {"facts": beside(reference="vLLM")},
        {"facts": beside(weights="real")},
    ]  # fmt: skip
    for changes in different:
        write(tmp_path, **changes)
    assert [suite["tasks"] for suite in suites(tmp_path)] == [1] * len(different)


def test_a_forged_time_of_nothing_is_no_ratio_and_in_no_suite(tmp_path):
    write(tmp_path, facts=beside(seconds=0.0))
    assert [row["ratio"] for row in query(tmp_path, "SELECT ratio FROM scoring")] == [None]
    assert suites(tmp_path) == []


def test_a_scoring_is_no_score_done_or_failed_and_a_failed_task_still_is(tmp_path):
    write(tmp_path)
    failed = {"status": "failed", "reason": "out of memory", "scores": ()}
    write_record(tmp_path, record("scoring.piqa", suite="scoring", **failed))
    write_record(tmp_path, record("piqa", **failed))
    scores = query(tmp_path, "SELECT task, status FROM scores WHERE source = 'measured'")
    assert scores == [{"task": "piqa", "status": "failed"}]
    assert [row["task"] for row in query(tmp_path, "SELECT task FROM scoring")] == ["scoring.hellaswag"]
    runs = query(tmp_path, "SELECT suite, tasks, failed FROM runs ORDER BY ALL")
    assert [tuple(run.values()) for run in runs] == [("scoring", 1, 0), ("scoring", 1, 1), ("smoke", 1, 1)]


def test_drawn_weights_give_a_model_no_second_name(tmp_path):
    for seed in ("0", "1"):
        write(tmp_path, subject=subject(source="here", weights_digest=f"{seed}" * 9))
    assert {row["model"] for row in query(tmp_path, "SELECT model FROM scoring")} == {"llama-3.1-8b"}
