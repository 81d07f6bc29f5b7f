"""What must not be compared is a row that says why, and exit code 3."""

import pytest
from support.compared import keep, score_of, subject

from harness.compare.comparison import Asked
from harness.records.files import run_folder

SOME = [1.0, 0.0, 1.0, 1.0]
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
def test_other_conditions_are_refused_by_name(row, compared, what):
    a, b, words = DIFFERENT[what]
    refused = row(SOME, SOME, a, b)
    assert refused.refused == words
    assert (refused.tested, refused.p_holm, refused.verdict) == (None, None, "refused")
    assert compared().exit_code == 3


def test_a_score_that_is_not_finite_is_refused_by_run_and_told_of_by_model(tmp_path, compared):
    keep(tmp_path, "old", SOME)
    none = keep(tmp_path, "new", SOME, scores=(score_of(SOME).model_copy(update={"value": None}),))
    assert compared(b=none.run_id).rows[0].refused == "acc of B has no finite value"
    by_model = compared()
    assert (by_model.only_a, by_model.exit_code) == (("winogrande",), 3)
    assert by_model.b.notes == (f"run {none.run_id} of winogrande has no valid score (not finite)",)


@pytest.mark.parametrize("versions", [("1", "1.0"), ("", "2")])
def test_a_version_written_otherwise_or_not_told_is_no_other(row, versions):
    assert row(SOME, SOME, {"task_version": versions[0]}, {"task_version": versions[1]}).refused is None


def test_a_limited_run_is_compared_with_a_whole_one_over_what_is_in_common(row):
    part = {"columns": {"doc_hash": ["d1", "d3"], "request_hash": ["r1", "r3"]}, "limit": 2, "score": {"total": 4}}
    made = row(SOME, [1.0, 1.0], None, part)
    assert (made.refused, made.n, made.a_value, made.b_value, made.difference) == (None, 2, 0.5, 1.0, 0.5)
    assert made.notes == ("2 of 4 documents of A in common, the others left out",)


def test_a_metric_that_one_side_lacks_is_a_refused_row(tmp_path, compared):
    keep(tmp_path, "old", SOME)
    keep(tmp_path, "new", SOME, metric="acc_norm")
    rows = compared(Asked(every_metric=True)).rows
    assert [row.refused for row in rows] == ["B has no acc (none)", "A has no acc_norm (none)"]


def test_samples_that_are_gone_leave_the_unpaired_z(tmp_path, compared):
    old = keep(tmp_path, "old", SOME)
    keep(tmp_path, "new", SOME)
    (run_folder(tmp_path, old.run_id) / "winogrande" / "samples.parquet").unlink()
    found = compared()
    (row,) = found.rows
    assert row.refused.startswith("the samples of A are not there")
    assert row.unpaired.z == 0.0
    assert found.exit_code == 3


def test_a_failed_task_is_refused_with_its_reason(tmp_path, compared):
    keep(tmp_path, "old", SOME)
    failure = {"status": "failed", "code": "device-memory", "reason": "out of memory"}
    keep(tmp_path, "new", SOME, "arc")
    keep(tmp_path, "new", [0.0], scores=(), **failure)
    assert compared().rows[0].refused == "the newest run of B failed: out of memory"


def test_nothing_in_common_is_exit_code_3(tmp_path, compared):
    keep(tmp_path, "old", SOME, "arc_challenge")
    keep(tmp_path, "new", SOME, "winogrande")
    found = compared()
    assert (found.rows, found.only_a, found.only_b, found.exit_code) == ((), ("arc_challenge",), ("winogrande",), 3)


def test_one_refused_task_among_others_is_exit_code_3_still(tmp_path, compared):
    for task in ("arc_challenge", "winogrande"):
        keep(tmp_path, "old", SOME, task)
        keep(tmp_path, "new", SOME, task, shots=5 if task == "winogrande" else 0)
    found = compared()
    assert [row.verdict for row in found.rows] == ["refused", "no difference shown"]
    assert (found.refused_tasks, found.exit_code) == (("arc_challenge",), 3)


def test_prompts_that_were_cut_on_one_side_are_noted(row):
    from harness.records.record import Counts

    counts = {"documents": 4, "documents_total": 4, "requests": 8, "tokens": 80, "reused": 0}
    sides = [{"counts": Counts(truncated=cut, **counts)} for cut in (0, 3)]
    assert row(SOME, SOME, *sides).notes == ("prompts were cut to fit the context: 0 of A, 3 of B",)


def test_shared_sources_that_were_not_recorded_are_noted(row):
    made = row(SOME, SOME, score={"clusters": 2})
    assert "which documents share a source was not recorded" in made.notes[0]


def test_two_models_that_one_name_stands_for_are_not_mixed(tmp_path, compared):
    from zoo.errors import NotComparable

    for digest in ("x" * 8, "y" * 8):
        keep(tmp_path, "old", SOME, subject=subject("old", digest))
    keep(tmp_path, "new", SOME)
    with pytest.raises(NotComparable, match="old stands for 2 models"):
        compared()
    assert compared(a="old@xxxxxxxx").rows[0].refused is None
