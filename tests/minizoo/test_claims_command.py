"""`minizoo claims` beside a real store: a record of a claimed score is shown with the store's verdict."""

import pytest
from support.records import record

from harness.records.files import new_run_id, write_record
from harness.records.record import MetricScore, Subject
from harness.stats.sufficient import MeanStatistics

MODEL = "llama-3.1-minitron-4b-width"  # MMLU, 5 shots: 60.5 in its card and paper; 14,042 documents


def _write(results, right):
    """A whole run of MMLU with `right` right answers; its run id."""
    n = 14042
    statistics = MeanStatistics(squares=right * (n - right) / n, units=n, binary=True, unit_interval=True)
    score = MetricScore(
        metric="acc", filter="none", value=right / n, n=n, total=n, statistics=statistics, higher_is_better=True, chance=0.25
    )  # fmt: skip
    subject = Subject(
        id=MODEL, source="hub", revision=None, weights_digest="w", tokenizer_digest="t", entry={"id": MODEL}
    )  # fmt: skip
    suite = {"name": "paper", "tasks": [{"task": "mmlu", "metric": "acc"}]}
    run_id = new_run_id()
    write_record(
        results, record("mmlu", run_id, subject=subject, suite="paper", resolved_suite=suite, scores=(score,)), []
    )
    return run_id


@pytest.mark.parametrize(
    ("right", "verdict", "agrees", "judged"),
    [(8495, "reproduced", True, "holds"), (7021, "differs", False, "contradicted")],
)
def test_claims_and_show_have_one_verdict_on_one_record(minizoo, tmp_path, right, verdict, agrees, judged):
    run_id = _write(tmp_path, right)
    told = minizoo("claims", "--results", tmp_path, "--json").json()["claims"]
    claim = next(claim for claim in told if claim["id"] == "scores-width")
    mmlu = next(step for step in claim["steps"] if step["label"] == "mmlu")
    (shown,) = minizoo("show", MODEL, "--results", tmp_path, "--json").json()["reproduction"]
    assert (shown["run_id"], shown["verdict"]) == (run_id, verdict)
    assert (mmlu["measured"]["run_id"], mmlu["measured"]["verdict"], mmlu["agrees"]) == (run_id, verdict, agrees)
    assert claim["verdict"] == judged
    assert mmlu["text"] in minizoo("claims", "--results", tmp_path).out


def test_a_results_folder_without_records_leaves_the_claim_open(minizoo, tmp_path):
    told = minizoo("claims", "--results", tmp_path, "--json").json()["claims"]
    assert next(claim for claim in told if claim["id"] == "scores-width")["verdict"] == "needs a measurement"
