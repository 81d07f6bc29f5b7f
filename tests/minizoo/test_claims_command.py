"""`minizoo claims` beside a real store: a record of a claimed score is shown with it."""

from datetime import UTC, datetime

from harness.records.files import new_run_id, write_record
from harness.records.record import Counts, MetricScore, Record, Setting, Subject


def test_a_record_of_a_claimed_score_is_shown_beside_it(minizoo, tmp_path):
    run_id = new_run_id()
    write_record(tmp_path, _record(run_id), [])
    told = minizoo("claims", "--results", tmp_path, "--json").json()["claims"]
    claim = next(claim for claim in told if claim["id"] == "scores-width")
    mmlu = next(step for step in claim["steps"] if step["label"] == "mmlu")
    assert mmlu["measured"]["run_id"] == run_id
    assert mmlu["agrees"] is True  # 60.5 lies in [0.597, 0.613]
    assert claim["verdict"] == "holds"
    assert "measured 0.6050 [0.5970, 0.6130] (acc) on 14042 items" in minizoo("claims", "--results", tmp_path).out


def test_a_results_folder_without_records_leaves_the_claim_open(minizoo, tmp_path):
    told = minizoo("claims", "--results", tmp_path, "--json").json()["claims"]
    assert next(claim for claim in told if claim["id"] == "scores-width")["verdict"] == "needs a measurement"


def _record(run_id):
    score = MetricScore(
        metric="acc", filter="none", value=0.605, stderr=0.004, lower=0.597, upper=0.613, n=14042,
        higher_is_better=True, chance=0.25,
    )  # fmt: skip
    return Record(
        run_id=run_id, task="mmlu", status="ok", suite="paper", resolved_suite={}, task_version="2", task_digest="d",
        shots=5, limit=None, overflow="refuse", started_at=datetime(2026, 11, 21, 1, tzinfo=UTC),
        finished_at=datetime(2026, 11, 21, 2, tzinfo=UTC),
        subject=Subject(
            id="llama-3.1-minitron-4b-width", source="hub", revision=None, weights_digest="w", tokenizer_digest="t",
            entry=None,
        ),
        setting=Setting(
            backend="hf", device="cpu", dtype="float32", gpu=None, driver=None, host="h", platform="p", versions={},
            git_sha=None, seed=0, command="minizoo eval",
        ),
        counts=Counts(documents=14042, documents_total=14042, requests=1, tokens=1, truncated=0, reused=0),
        scores=(score,),
    )  # fmt: skip
