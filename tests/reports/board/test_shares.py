"""What is kept of a parent's score: by documents where the store has both, else by two intervals, else by what is printed."""

import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from support.board_registry import WINOGRANDE, cell, named, rows_of
from support.records import record

from harness.stats import constants
from harness.stats.estimate import Estimate
from harness.stats.paired.retained import retained
from reports.board.model import ColumnKey
from reports.board.shares import unpaired_share

PARENT, CHILD = [1.0] * 18 + [0.0] * 2, [1.0] * 15 + [0.0] * 5
CHANCE = 0.25
"""Of the records that `support.compared` makes."""
PRINTED = ColumnKey("gsm8k", "exact_match", "strict-match", 5)


def share_of(results, model="child", key=WINOGRANDE):
    return cell(results.board(), model, key)[0].retained


def setting(**changes):
    return {"setting": record().setting.model_copy(update=changes)}


def test_documents_of_both_are_paired(results):
    results.keep("parent", PARENT)
    results.keep("child", CHILD)
    share, expected = share_of(results), retained(PARENT, CHILD, CHANCE)
    assert (share.parent, share.paired, share.source) == ("parent", True, "measured")
    assert (share.value, share.lower, share.upper, share.raw) == pytest.approx(
        (expected.value, expected.lower, expected.upper, 15 / 18)
    )


def test_pairing_is_by_document_and_not_by_place(results):
    """The child has the documents in another order: paired by place, its errors would fall on other documents."""
    order = [f"d{i}" for i in reversed(range(20))]
    requests = [f"r{i}" for i in reversed(range(20))]
    results.keep("parent", PARENT)
    results.keep("child", CHILD[::-1], columns={"doc_hash": order, "request_hash": requests})
    expected = retained(PARENT, CHILD, CHANCE)
    assert (share_of(results).lower, share_of(results).upper) == pytest.approx((expected.lower, expected.upper))


def test_the_parent_s_result_that_was_run_alike_is_taken(results):
    results.keep("parent", PARENT, **setting(gpu="L4"))
    results.keep("parent", [1.0] * 20, **setting(gpu="H100"))
    results.keep("child", CHILD, **setting(gpu="L4"))
    assert share_of(results).raw == pytest.approx(15 / 18)


def test_a_parent_that_was_run_in_another_way_alone_is_taken_too(results):
    results.keep("parent", PARENT, **setting(gpu="H100"))
    results.keep("child", CHILD, **setting(gpu="L4"))
    assert share_of(results).paired


def test_without_samples_the_two_intervals_give_a_wider_one(results):
    results.keep("parent", PARENT)
    results.keep("child", CHILD)
    paired = share_of(results)
    for path in results.path.glob("runs/*/*/*/samples.parquet"):
        path.unlink()
    wide = share_of(results)
    assert (wide.value, wide.raw) == pytest.approx((paired.value, paired.raw))
    assert not wide.paired
    assert wide.lower < paired.lower < paired.upper < wide.upper


@pytest.mark.parametrize(("values", "kept"), [([1.0] * 20, 1.0), ([0.0] * 20, -1 / 3)])
def test_documents_that_all_came_out_alike_do_not_give_an_interval_of_no_width(results, values, kept):
    results.keep("parent", [1.0] * 20)
    results.keep("child", values)
    share = share_of(results)
    assert share.value == pytest.approx(kept)
    assert share.lower < kept - 0.01
    assert share.upper > kept + 0.01
    assert not share.paired


@pytest.mark.parametrize(
    "changes",
    [{"shots": 4}, {"task_version": "2.0"}, {"columns": {"request_hash": [f"other {i}" for i in range(20)]}}],
    ids=["other shots", "another version", "other requests"],
)
def test_what_was_not_measured_alike_has_no_share(results, changes):
    results.keep("parent", PARENT)
    results.keep("child", CHILD, **changes)
    key = WINOGRANDE._replace(shots=changes.get("shots", 5))
    assert share_of(results, key=key) is None


def test_a_parent_that_is_not_above_chance_gives_the_raw_ratio_alone(results):
    results.keep("parent", [1.0] * 5 + [0.0] * 15)
    results.keep("child", CHILD)
    share = share_of(results)
    assert (share.value, share.lower, share.upper, share.raw) == (None, None, None, 3.0)


def test_a_metric_of_which_less_is_better_has_no_share(results):
    for model, values in (("parent", PARENT), ("child", CHILD)):
        results.keep(model, values, score={"higher_is_better": False})
    assert share_of(results) is None


def test_parts_of_the_same_documents_are_paired(results):
    results.keep("parent", PARENT, limit=20, score={"total": 100})
    results.keep("child", CHILD, limit=20, score={"total": 100})
    assert cell(results.board(), "child")[-1].retained.paired


def test_a_group_s_tasks_are_paired_together(results):
    for model, values in (("parent", PARENT), ("child", CHILD)):
        run = record().run_id
        for task in ("mmlu_law", "mmlu_math"):
            results.keep(model, values, task, run_id=run, columns={"doc_hash": [f"{task} {i}" for i in range(20)]})
        group, mean = "mmlu", sum(values) / 20
        results.keep(model, [], group, run_id=run, members=("mmlu_law", "mmlu_math"), scores=(score(mean),))
    share = share_of(results, key=WINOGRANDE._replace(task="mmlu"))
    assert share.paired
    assert share.raw == pytest.approx(15 / 18)
    for path in results.path.glob("runs/*/*/*/samples.parquet"):
        path.unlink()
    without = share_of(results, key=WINOGRANDE._replace(task="mmlu"))
    assert (without.paired, without.raw) == (False, pytest.approx(15 / 18))


def score(value):
    (made,) = record().scores
    return made.model_copy(update={"value": value, "n": 40, "total": 40, "chance": CHANCE})


def test_a_parent_in_no_registry_is_found_by_any_of_its_names(results):
    folder = named("mine/parent", kind="folder", entry=None, source="/models/parent", name="given")
    results.keep("mine/parent", PARENT, subject=folder)
    words = ["mine/parent", "given", "/models/parent"]
    for place, word in enumerate(words):
        child = named(f"x{place}", kind="folder", entry=None, source=f"/models/x{place}", parent=word)
        results.keep(f"x{place}", CHILD, subject=child)
    board = results.board()
    for place, _ in enumerate(words):
        (row,) = rows_of(board, f"x{place}")
        assert row.facts.parent == "given"
        assert row.figures[WINOGRANDE][0].retained.parent == "given"


def test_a_child_of_a_registered_parent_is_of_its_kind_and_held_against_it(results):
    results.keep("parent", PARENT)
    results.keep("x", CHILD, subject=named("x", kind="folder", entry=None, source="/models/x", parent="parent"))
    (row,) = rows_of(results.board(), "x")
    assert (row.facts.kind, row.facts.parent, row.facts.registered) == ("base", "parent", False)
    assert row.facts.parent_tokens == 15_000_000_000_000
    assert row.figures[WINOGRANDE][0].retained.paired


def test_a_file_of_samples_that_cannot_be_read_counts_as_gone(results):
    results.keep("parent", PARENT)
    results.keep("child", CHILD)
    results.board()
    for path in results.path.glob("runs/*/*/*/samples.parquet"):
        path.write_bytes(b"PAR1 cut short")
    assert not share_of(results).paired


def test_printed_scores_of_one_table_give_an_approximate_share(results):
    figures = {key: c[0] for r in rows_of(results.board(), "child") for key, c in r.figures.items()}
    share = figures[PRINTED].retained
    assert (share.value, share.raw, share.source, share.paired) == (
        pytest.approx(0.5),
        pytest.approx(0.5),
        "published",
        False,
    )
    assert share.lower < 0.5 < share.upper
    truthful = figures[ColumnKey("truthfulqa_mc2", "acc", "", 0)].retained
    assert (truthful.value, truthful.raw) == (None, pytest.approx(40 / 45))  # nobody knows what guessing gives


def test_the_table_that_prints_both_is_taken_where_the_shown_figure_s_does_not(results):
    """The card prints the child with more digits, the paper both."""
    (row,) = rows_of(results.board(), "child")
    figure = row.figures[WINOGRANDE._replace(filter="")][0]
    assert (figure.printed, figure.retained.value) == ("74.12", pytest.approx(0.25 / 0.3))


def test_printed_scores_of_two_protocols_give_none(results):
    (row,) = rows_of(results.board(), "child")
    assert row.figures[ColumnKey("gsm8k", "exact_match", "flexible-extract", 0)][0].retained is None


ESTIMATES = st.tuples(st.floats(0.01, 1), st.floats(0.001, 0.2)).map(
    lambda e: Estimate(e[0], None, e[0] - e[1], e[0] + e[1])
)


@given(ESTIMATES, ESTIMATES, st.floats(0, 0.6))
@example(Estimate(0.109375, None, 0.0, 0.21875), Estimate(1.0, None, 0.875, 1.125), 0.0)  # at chance, but for rounding
def test_at_the_ends_of_an_unpaired_interval_the_difference_is_just_told_from_nothing(reference, candidate, chance):
    share = unpaired_share("p", reference, candidate, chance, "published")
    if reference.value <= chance:
        assert (share.value, share.lower) == (None, None)
        return
    above, kept = reference.value - chance, candidate.value - chance
    errors = [(e.upper - e.lower) / 2 / constants.Z for e in (reference, candidate)]
    if above <= constants.Z * errors[0]:
        assert share.lower is None  # its own error reaches chance: any share would do
        return
    assume(above > 1.01 * constants.Z * errors[0])  # nearer to that the ends run away, and rounding with them
    assert share.value == pytest.approx(kept / above)
    assert share.lower <= share.value * (1 + 1e-9) + 1e-12
    for end in (share.lower, share.upper):
        spread = math.hypot(errors[1], end * errors[0])
        assert abs(kept - end * above) == pytest.approx(constants.Z * spread, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_without_a_number_there_is_no_share(value):
    assert unpaired_share("p", Estimate(value), Estimate(0.5), 0.25, "published") is None
    assert unpaired_share("p", Estimate(0.5), Estimate(value), 0.25, "published") is None


def test_without_an_interval_there_is_the_share_alone():
    share = unpaired_share("p", Estimate(0.75), Estimate(0.5), 0.25, "published")
    assert (share.value, share.lower, share.upper, share.raw) == (0.5, None, None, pytest.approx(2 / 3))
