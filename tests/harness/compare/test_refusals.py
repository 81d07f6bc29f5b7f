"""What must not be compared is a row that says why, and exit code 3."""

import pytest
from support.compared import made, score_of

from harness.compare.comparison import Asked
from harness.records.record import Counts

SOME = [1.0, 0.0, 1.0, 1.0]
NOT_FINITE = score_of(SOME).model_copy(update={"value": None})
OTHER = {"columns": {"request_hash": ["r0", "r1", "r2", "rX"]}}
DIFFERENT = {
    "shots": ({"shots": 5}, {"shots": 0}, "other shots: 5 against 0"),
    "version": ({"task_version": "1.0"}, {"task_version": "2"}, "another version of the task: 1 against 2"),
    "chat template": ({}, {"chat_template": "ab" * 32}, "another chat template: none against abababab"),
    "decoding": ({"decoding": {"n": 1}}, {"decoding": {"n": 20}}, "answers were generated otherwise: n 1 against n 20"),
    "requests": (
        {},
        OTHER,
        "prompts differ: the requests of 1 of 4 documents are not the same, first document 3 (d3…)",
    ),
    "documents": ({}, {"columns": {"doc_hash": list("wxyz")}}, "not one of 4 documents of A is among 4 of B"),
    "data": (
        {},
        {"columns": {"doc_hash": ["d0", "d1", "d2", "new"]}},
        "the task's data differ: 1 documents of B are none of A's, which ran the whole task (winogrande)",
    ),
    "aggregation": (
        {},
        {"score": {"value": 0.123}},
        "acc of B is no mean over single documents (or its samples are not those of its score), so it cannot be paired",
    ),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_other_conditions_are_refused_by_name(compared, what):
    a, b, words = DIFFERENT[what]
    found = compared([made("old", SOME, **a)], [made("new", SOME, **b)])
    (row,) = found.rows
    assert row.refused == words
    assert (row.tested, row.p_holm, row.verdict) == (None, None, "refused")
    assert found.exit_code == 3


@pytest.mark.parametrize("versions", [("1", "1.0"), ("", "2")])
def test_a_version_written_otherwise_or_not_told_is_no_other(row, versions):
    assert row(SOME, SOME, {"task_version": versions[0]}, {"task_version": versions[1]}).refused is None


def test_a_limited_run_is_compared_with_a_whole_one_over_what_is_in_common(row):
    part = {"columns": {"doc_hash": ["d1", "d3"], "request_hash": ["r1", "r3"]}, "limit": 2, "score": {"total": 4}}
    found = row(SOME, [1.0, 1.0], None, part)
    assert (found.refused, found.n, found.a_value, found.b_value, found.difference) == (None, 2, 0.5, 1.0, 0.5)
    assert found.notes == ("2 of 4 documents of A in common, the others left out",)


def test_a_metric_that_one_side_lacks_is_a_refused_row(compared):
    found = compared([made("old", SOME)], [made("new", SOME, metric="acc_norm")], Asked(every_metric=True))
    assert [row.refused for row in found.rows] == ["B has no acc (none)", "A has no acc_norm (none)"]


def test_a_score_that_is_not_finite_is_refused(row):
    assert row(SOME, SOME, None, {"scores": (NOT_FINITE,)}).refused == "acc of B has no finite value"


def test_without_samples_the_unpaired_z_is_left(compared):
    old, new = made("old", SOME), made("new", SOME)
    found = compared([(old[0], [])], [new])
    (row,) = found.rows
    assert row.refused.startswith("the samples of A are not there")
    assert "--log_samples" in row.refused
    assert (row.unpaired.z, found.exit_code) == (0.0, 3)


def test_a_failed_task_is_refused_with_its_reason(compared):
    failure = {"status": "failed", "code": "device-memory", "reason": "out of memory", "scores": ()}
    found = compared([made("old", SOME)], [made("new", [], **failure)])
    assert found.rows[0].refused == "the newest run of B failed: out of memory"


def test_nothing_in_common_is_exit_code_3(compared):
    found = compared([made("old", SOME, "arc_challenge")], [made("new", SOME)])
    assert (found.rows, found.only_a, found.only_b, found.exit_code) == ((), ("arc_challenge",), ("winogrande",), 3)


def test_one_refused_task_among_others_is_exit_code_3_still(compared):
    sides = [
        [made(name, SOME, "arc_challenge", shots=shots), made(name, SOME)] for name, shots in (("old", 0), ("new", 25))
    ]
    found = compared(*sides)
    assert [row.verdict for row in found.rows] == ["refused", "no difference shown"]
    assert (found.refused_tasks, found.exit_code) == (("arc_challenge",), 3)


def test_prompts_that_were_cut_on_one_side_are_noted(row):
    counts = {"documents": 4, "documents_total": 4, "requests": 8, "tokens": 80, "reused": 0}
    sides = [{"counts": Counts(truncated=cut, **counts)} for cut in (0, 3)]
    assert row(SOME, SOME, *sides).notes == ("prompts were cut to fit the context: 0 of A, 3 of B",)


def test_shared_sources_that_were_not_recorded_are_noted(row):
    assert "which documents share a source was not recorded" in row(SOME, SOME, score={"clusters": 2}).notes[0]


def test_documents_that_a_metric_does_not_count_are_left_out_and_told(row):
    nan = float("nan")
    found = row([1.0, 0.0, nan, 1.0], [1.0, nan, 0.0, 0.0])
    assert (found.n, found.tested.lost) == (2, 1)
    assert found.notes == ("2 documents left out that the metric does not count",)
